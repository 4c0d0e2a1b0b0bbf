//! What the page of statistics says, and pictures of counts elsewhere.

use std::time::Duration;

use grantor::storage::CountBy;

use crate::pages::{Language, count, words};

words! {
    /// What the page of statistics says, and pictures of counts elsewhere.
    pub struct Words;
    heading: "Statistics", "Statistiques";
    about: "Every request is counted, also of senders that have to wait, of which only some decisions are kept. Counts are kept by the minute for 7 days, then by the hour for 400. Times are UTC.", "Chaque requête est comptée, aussi celles des expéditeurs qui doivent attendre, dont seules quelques décisions sont conservées. Les comptes sont conservés par minute pendant 7 jours, puis par heure pendant 400. Les heures sont en UTC.";
    hour: "60 minutes", "60 minutes";
    day: "24 hours", "24 heures";
    month: "30 days", "30 jours";
    of_time: "Time", "Période";
    from: "From", "De";
    to: "To", "À";
    time_hint: "As 2027-01-31T12:00:00Z", "Comme 2027-01-31T12:00:00Z";
    step: "By the", "Par";
    minute: "minute", "minute";
    step_hour: "hour", "heure";
    step_day: "day", "jour";
    by: "Counted by", "Compté par";
    outcome: "outcome", "issue";
    rule: "rule", "règle";
    endpoint: "endpoint", "point d'accès";
    time: "Time", "Heure";
    number: "Number", "Nombre";
    granted: "granted", "accordées";
    refused: "refused", "refusées";
    undecided: "undecided", "sans décision";
    requests: "requests", "requêtes";
    others: "others", "autres";
    nothing: "Nothing was decided.", "Rien n'a été décidé.";
    nothing_refused: "Nothing was refused. Good.", "Rien n'a été refusé. Tant mieux.";
    over_time: "Over time", "Au fil du temps";
    by_kind: "By kind", "Par sorte";
    columns_of(time: &str): "Each column is {time}.", "Chaque colonne représente {time}.";
}

impl Words {
    /// Where there is no bar.
    pub fn nothing_of(self, by: CountBy) -> &'static str {
        match by {
            CountBy::Rule => self.nothing_refused(),
            CountBy::Outcome | CountBy::Endpoint => self.nothing(),
        }
    }

    /// `2,914 granted, 171 refused; the most refusals at 00:21: 18.`
    pub fn outcomes(self, granted: u64, refused: u64, peak: Option<(&str, u64)>) -> String {
        if granted + refused == 0 {
            return self.nothing().to_owned();
        }
        let [granted, refused] = [granted, refused].map(|number| count(number, self.0));
        let peak = peak.map(|(at, most)| (at, count(most, self.0)));
        match (self.0, peak) {
            (Language::English, None) => format!("{granted} granted, none refused."),
            (Language::English, Some((at, most))) => {
                format!("{granted} granted, {refused} refused; the most refusals at {at}: {most}.")
            }
            (Language::French, None) => format!("{granted} accordées, aucune refusée."),
            (Language::French, Some((at, most))) => format!(
                "{granted} accordées, {refused} refusées\u{202f}; le plus de refus à {at}\u{a0}: {most}."
            ),
        }
    }

    /// `171 in all; the most at 00:21: 18.`
    pub fn in_all(self, sum: u64, peak: Option<(&str, u64)>) -> String {
        let Some((at, most)) = peak else {
            return self.nothing().to_owned();
        };
        let [sum, most] = [sum, most].map(|number| count(number, self.0));
        match self.0 {
            Language::English => format!("{sum} in all; the most at {at}: {most}."),
            Language::French => {
                format!("{sum} en tout\u{202f}; le plus à {at}\u{a0}: {most}.")
            }
        }
    }

    /// `Most often aud: 96.`
    pub fn most(self, key: &str, most: &str) -> String {
        match self.0 {
            Language::English => format!("Most often {key}: {most}."),
            Language::French => format!("Le plus souvent {key}\u{a0}: {most}."),
        }
    }

    /// How long a column is: in the largest unit of which it is two or more, and nothing else.
    pub fn length(self, each: Duration) -> String {
        let minutes = each.as_secs() / 60;
        let is_whole = |unit: u64| minutes >= 2 * unit && minutes.is_multiple_of(unit);
        let (number, [english, french]) = match minutes {
            _ if is_whole(1_440) => (minutes / 1_440, ["day", "jour"]),
            _ if is_whole(60) => (minutes / 60, ["hour", "heure"]),
            _ => (minutes, ["minute", "minute"]),
        };
        let (unit, end) = match self.0 {
            Language::English => (english, if number == 1 { "" } else { "s" }),
            Language::French => (french, if number > 1 { "s" } else { "" }),
        };
        format!("{number} {unit}{end}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m084_a_column_is_as_long_as_it_is_said_to_be() {
        for (minutes, english, french) in [
            (1, "1 minute", "1 minute"),
            (60, "60 minutes", "60 minutes"),
            (150, "150 minutes", "150 minutes"),
            (24 * 60, "24 hours", "24 heures"),
            (80 * 60, "80 hours", "80 heures"),
            (72 * 60, "3 days", "3 jours"),
        ] {
            let each = Duration::from_secs(minutes * 60);
            assert_eq!(Words(Language::English).length(each), english);
            assert_eq!(Words(Language::French).length(each), french);
        }
    }
}

//! Which rows have a part in a text, by the trigrams in it.
//!
//! An index of trigrams says soon which rows have one of them, and not so soon which have one that
//! nearly all have. So the rarest ones are looked up, and the rows are compared with the whole part.

use rusqlite::Connection;

/// Most trigrams that are tried.
const TRIED: usize = 16;
/// Most rows of a trigram that are walked through.
const WALKED: u32 = 10_000;
/// Rows of a trigram from which on a rarer one is not worth the search.
const SELDOM: u32 = 200;
/// Trigrams that rows need to have all.
const TOGETHER: usize = 3;

/// Whether there is a trigram in it.
pub(super) fn has_any(part: &str) -> bool {
    !of(part).is_empty()
}

/// What the index is asked for the rows that have the rarest trigrams of this part, if these are no
/// more than `few`.
pub(super) fn rarest(
    connection: &Connection,
    index: &str,
    part: &str,
    few: u32,
) -> rusqlite::Result<Option<String>> {
    let count =
        format!("SELECT count(*) FROM (SELECT 1 FROM {index} WHERE {index} MATCH ?1 LIMIT ?2)");
    let mut count = connection.prepare_cached(&count)?;
    let mut count = |of: &str, most: u32| count.query_row((of, most), |row| row.get::<_, u32>(0));
    let mut rarest: Vec<(u32, String)> = Vec::new();
    // Names differ more often at their ends.
    for trigram in of(part).into_iter().rev() {
        // Beyond those that are taken no count matters.
        let most = rarest.get(TOGETHER - 1);
        let most = most.map_or(WALKED + 1, |(rows, _)| *rows);
        let trigram = format!("\"{}\"", trigram.replace('"', "\"\""));
        let rows = count(&trigram, most)?;
        if rows <= WALKED {
            rarest.push((rows, trigram));
            rarest.sort();
            rarest.truncate(TOGETHER);
        }
        if rows <= SELDOM {
            break;
        }
    }
    let rarest: Vec<_> = rarest.into_iter().map(|(_, trigram)| trigram).collect();
    if rarest.is_empty() {
        return Ok(None);
    }
    let rarest = rarest.join(" AND ");
    Ok((count(&rarest, few + 1)? <= few).then_some(rarest))
}

/// Some trigrams of a text, each once, from all over it. The index reads no text behind a zero
/// octet.
fn of(text: &str) -> Vec<&str> {
    let starts: Vec<usize> = text
        .char_indices()
        .map(|(at, _)| at)
        .chain([text.len()])
        .collect();
    let mut all: Vec<&str> = Vec::new();
    let step = starts.len().saturating_sub(3).div_ceil(TRIED).max(1);
    for window in starts.windows(4).step_by(step) {
        let trigram = &text[window[0]..window[3]];
        if !trigram.contains('\0') && !all.contains(&trigram) {
            all.push(trigram);
        }
    }
    all
}

//! What was answered, and whether it still holds: nothing answered is lost, and nothing is accepted
//! twice.

use std::{ops::Range, thread};

use crate::{
    support::Answer,
    world::{Use, World, command},
};

/// What the load was answered.
#[derive(Debug, Default)]
pub struct Kept {
    /// Assertions that were accepted.
    pub used: Vec<Used>,
    /// Assertions that were refused for something else than themselves.
    pub maybe: Vec<Used>,
    /// Assertions for which no answer came.
    pub unsure: Vec<Used>,
    pub tokens: Vec<Token>,
    pub refused: Vec<Answer>,
    pub subjects: Vec<String>,
    /// Why registrations failed.
    pub unregistered: Vec<String>,
}

#[derive(Debug)]
pub struct Used {
    pub usage: Use,
    pub assertion: String,
}

#[derive(Debug)]
pub struct Token {
    /// The place of its client.
    pub client: usize,
    pub text: String,
    pub fate: Fate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Given,
    Revoked,
    /// It was to be revoked, and that was not answered.
    Unsure,
}

impl Kept {
    /// What both kept.
    pub fn and(mut self, other: Self) -> Self {
        self.used.extend(other.used);
        self.maybe.extend(other.maybe);
        self.unsure.extend(other.unsure);
        self.tokens.extend(other.tokens);
        self.refused.extend(other.refused);
        self.subjects.extend(other.subjects);
        self.unregistered.extend(other.unregistered);
        self
    }

    /// What came to nothing: assertions without an answer, and registrations with the reason.
    pub fn unanswered(&self) -> Vec<&str> {
        let unsure = self.unsure.iter().map(|_| "an assertion without an answer");
        unsure
            .chain(self.unregistered.iter().map(String::as_str))
            .collect()
    }

    /// Refusals say that something is wrong with the server for now, and nothing else.
    pub fn refusals_are_temporary(&self, what: &str) {
        for answer in &self.refused {
            assert!([429, 503].contains(&answer.status), "{what}: {answer:?}");
            assert_eq!(
                answer.error(),
                "temporarily_unavailable",
                "{what}: {answer:?}"
            );
            assert!(answer.header("retry-after").is_some(), "{what}: {answer:?}");
        }
    }

    /// Nothing answered is lost.
    pub fn holds(&self, world: &World, what: &str) {
        let broken = self.broken(world);
        assert!(
            broken.is_empty(),
            "{what}: {} broken, the first: {:?}",
            broken.len(),
            broken.first()
        );
        world.serves(&format!("{what}, after all"));
    }

    /// What does not hold any more of what was answered.
    pub fn broken(&self, world: &World) -> Vec<String> {
        let revoked = self
            .tokens
            .iter()
            .filter(|token| token.fate == Fate::Revoked)
            .count();
        assert!(
            self.used.len() >= 20 && revoked >= 3 && !self.subjects.is_empty(),
            "too little was asked to tell: {self:?}"
        );
        let mut broken = self.accepted_again(world);
        broken.extend(in_parallel(self.tokens.len(), &|place| {
            self.tokens[place].is_wrong(world)
        }));
        broken.extend(
            self.subjects_missing(world)
                .into_iter()
                .map(|subject| format!("{subject} is gone")),
        );
        broken
    }

    /// Used assertions that are accepted once more, or refused for another reason than their use.
    pub fn accepted_again(&self, world: &World) -> Vec<String> {
        let again = |place: usize| {
            let answer = world
                .wire
                .use_assertion(self.used[place].usage, &self.used[place].assertion);
            let is_refused = answer.status == 400
                && ["invalid_grant", "invalid_client"].contains(&answer.error().as_str());
            (!is_refused).then(|| format!("a used assertion: {answer:?}"))
        };
        let mut broken = in_parallel(self.used.len(), &again);
        broken.extend(self.accepted_twice(world));
        broken
    }

    /// Of what was not answered, or refused for a while, each is accepted once at most.
    fn accepted_twice(&self, world: &World) -> Vec<String> {
        let open: Vec<_> = self.unsure.iter().chain(&self.maybe).collect();
        in_parallel(open.len(), &|place| {
            let used = &open[place];
            let both =
                [(); 2].map(|()| world.wire.use_assertion(used.usage, &used.assertion).status);
            (both == [200, 200]).then(|| "an assertion is accepted twice".to_owned())
        })
    }

    pub fn subjects_missing(&self, world: &World) -> Vec<String> {
        let listed = command(&world.server.data(), &["--json", "subject", "list"]);
        assert!(listed.status.success(), "{}", listed.stderr);
        missing_from(&listed.stdout, &self.subjects)
    }
}

/// Names that are not in the output of `subject list`.
pub fn missing_from(list: &str, names: &[String]) -> Vec<String> {
    names
        .iter()
        .filter(|name| !list.contains(&format!("\"{name}\"")))
        .cloned()
        .collect()
}

impl Token {
    /// Whether introspection says otherwise than what was answered.
    fn is_wrong(&self, world: &World) -> Option<String> {
        let (answer, _) = world
            .wire
            .about("/introspect", &world.clients[self.client], &self.text);
        let is_active = answer.json()["active"].as_bool();
        let is_right = match self.fate {
            Fate::Given => is_active == Some(true),
            Fate::Revoked => is_active == Some(false),
            Fate::Unsure => is_active.is_some(),
        };
        (!is_right).then(|| format!("a token that was {:?}: {answer:?}", self.fate))
    }
}

/// What `find` finds in each place, four at a time.
fn in_parallel(count: usize, find: &(dyn Fn(usize) -> Option<String> + Sync)) -> Vec<String> {
    let part = count.div_ceil(4);
    let places =
        |from: usize| -> Range<usize> { (from * part).min(count)..((from + 1) * part).min(count) };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|from| scope.spawn(move || places(from).filter_map(find).collect::<Vec<_>>()))
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| {
                thread
                    .join()
                    .expect("each answer was in time and no failure of ours")
            })
            .collect()
    })
}

/// The oracle sees what it has to: uses, revocations and subjects that are gone.
#[test]
fn the_oracle_notices_what_is_lost() {
    if grantor_testkit::binary::database::is_not_of_sqlite("it looks at the file") {
        return;
    }
    let world = World::start();
    let kept = world.control();
    let database =
        rusqlite::Connection::open(world.server.data().join("grantor.db")).expect("the database");
    database
        .busy_timeout(std::time::Duration::from_secs(5))
        .expect("a timeout");
    database
        .execute_batch(
            "DELETE FROM replay; DELETE FROM artifact WHERE kind = 'ended'; DELETE FROM subject",
        )
        .expect("lost");
    drop(database);
    let world = world.kill_and_restart();
    let broken = kept.broken(&world);
    for what in ["a used assertion", "a token that was Revoked", "is gone"] {
        assert!(
            broken.iter().any(|line| line.contains(what)),
            "{what}: {broken:?}"
        );
    }
}

//! Honest clients that ask without end, and keep what they were answered.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use crate::{
    oracle::{Fate, Kept, Token, Used},
    support::Answer,
    world::{Client, Use, Wire, World, command},
};

/// Most rounds of one client, so that nothing runs forever.
const ROUNDS: usize = 20_000;
/// Between two requests of one client: an honest one does not flood.
const PACE: Duration = Duration::from_millis(4);

pub struct Load {
    threads: Vec<JoinHandle<Kept>>,
    progress: Arc<Progress>,
}

/// How far the load is.
#[derive(Default)]
struct Progress {
    stop: AtomicBool,
    granted: AtomicUsize,
    refused: AtomicUsize,
    registered: AtomicUsize,
}

impl Load {
    /// Two threads of each client, one that registers subjects.
    pub fn begin(world: &World) -> Self {
        let progress = Arc::<Progress>::default();
        let clients = (0..2 * world.clients.len()).map(|number| {
            let (clients, wire, progress) =
                (world.clients.clone(), world.wire.clone(), progress.clone());
            thread::spawn(move || {
                Asking {
                    client: number / 2,
                    clients: &clients,
                    wire: &wire,
                    progress: &progress,
                }
                .run()
            })
        });
        let (data, registering) = (world.server.data(), progress.clone());
        let threads = clients
            .chain([thread::spawn(move || register(&data, &registering))])
            .collect();
        Self { threads, progress }
    }

    pub fn granted(&self) -> usize {
        self.progress.granted.load(Ordering::SeqCst)
    }

    pub fn refused(&self) -> usize {
        self.progress.refused.load(Ordering::SeqCst)
    }

    pub fn registered(&self) -> usize {
        self.progress.registered.load(Ordering::SeqCst)
    }

    /// Enough more are granted.
    pub fn goes_on(&self, world: &World, what: &str) {
        self.grants(world, 20, what);
    }

    /// So many more are granted.
    pub fn grants(&self, world: &World, count: usize, what: &str) {
        let before = self.granted();
        world
            .server
            .wait_until(&format!("honest requests go on {what}"), || {
                self.granted() >= before + count
            });
    }

    /// So many more are answered, whatever it is.
    pub fn is_heard(&self, world: &World, what: &str) {
        let answered = || self.granted() + self.refused();
        let before = answered();
        world
            .server
            .wait_until(&format!("requests are answered {what}"), || {
                answered() >= before + 20
            });
    }

    /// Stops, and tells what was answered.
    pub fn end(self) -> Kept {
        self.progress.stop.store(true, Ordering::SeqCst);
        let all = self.threads.into_iter().map(|thread| {
            thread
                .join()
                .expect("each answer was in time and no failure of ours")
        });
        all.fold(Kept::default(), Kept::and)
    }
}

struct Asking<'a> {
    client: usize,
    clients: &'a [Client],
    wire: &'a Wire,
    progress: &'a Progress,
}

impl Asking<'_> {
    fn run(&self) -> Kept {
        let mut kept = Kept::default();
        for round in 0..ROUNDS {
            if self.progress.stop.load(Ordering::SeqCst) {
                break;
            }
            self.ask(
                if round % 4 == 3 {
                    Use::ClientAuth
                } else {
                    Use::Grant
                },
                &mut kept,
            );
            if round % 4 == 0 {
                self.revoke(&mut kept);
            }
            pause();
        }
        kept
    }

    fn ask(&self, usage: Use, kept: &mut Kept) {
        let assertion = self.wire.assertion(&self.clients[self.client], usage);
        let answer = self.wire.use_assertion(usage, &assertion);
        if let Some(text) = answer.json()["access_token"].as_str() {
            kept.tokens.push(Token {
                client: self.client,
                text: text.to_owned(),
                fate: Fate::Given,
            });
        }
        self.keep(Used { usage, assertion }, answer, kept);
    }

    /// Gives the last token back.
    fn revoke(&self, kept: &mut Kept) {
        let Some(token) = kept
            .tokens
            .last_mut()
            .filter(|token| token.fate == Fate::Given)
        else {
            return;
        };
        let (answer, assertion) =
            self.wire
                .about("/revoke", &self.clients[self.client], &token.text);
        token.fate = if answer.status == 200 {
            Fate::Revoked
        } else {
            Fate::Unsure
        };
        self.keep(
            Used {
                usage: Use::ClientAuth,
                assertion,
            },
            answer,
            kept,
        );
    }

    fn keep(&self, used: Used, answer: Answer, kept: &mut Kept) {
        match answer.status {
            200 => {
                self.progress.granted.fetch_add(1, Ordering::SeqCst);
                kept.used.push(used);
            }
            0 => kept.unsure.push(used),
            _ => {
                self.progress.refused.fetch_add(1, Ordering::SeqCst);
                // It may be used up, for a refusal can come after the claim.
                kept.maybe.push(used);
                kept.refused.push(answer);
            }
        }
    }
}

fn register(data: &Path, progress: &Progress) -> Kept {
    let mut kept = Kept::default();
    for _ in 0..ROUNDS {
        if progress.stop.load(Ordering::SeqCst) {
            break;
        }
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let subject = format!("subject-{}", NUMBER.fetch_add(1, Ordering::SeqCst));
        let finished = command(data, &["subject", "create", &subject]);
        if finished.status.success() {
            kept.subjects.push(subject);
            progress.registered.fetch_add(1, Ordering::SeqCst);
        } else {
            assert!(
                finished.stderr.contains("error: ") && !finished.stderr.contains("panicked"),
                "{}",
                finished.stderr
            );
            assert_eq!(finished.status.code(), Some(1), "{}", finished.stderr);
            kept.unregistered.push(finished.stderr);
        }
        pause();
    }
    kept
}

#[expect(
    clippy::disallowed_methods,
    reason = "an honest client waits for nothing between two requests"
)]
fn pause() {
    thread::sleep(PACE);
}

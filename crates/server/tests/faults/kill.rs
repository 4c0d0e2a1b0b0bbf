//! The process is killed at random moments, under load.

use grantor::jose::base64url_decode;

use crate::{load::Load, world::World};

/// How often.
const KILLS: usize = 8;

#[test]
fn nothing_answered_is_lost_when_the_process_is_killed_at_random() {
    let mut world = World::start();
    let before = world.control();
    let load = Load::begin(&world);
    for kill in 0..KILLS {
        // A random moment: the signature of an assertion is as good as a die.
        let die = world
            .wire
            .assertion(&world.clients[0], crate::world::Use::Grant);
        let octets = die
            .rsplit('.')
            .next()
            .and_then(base64url_decode)
            .expect("a signature");
        load.grants(&world, usize::from(octets[0]) / 4, "until the next kill");
        world = world.kill_and_restart();
        load.goes_on(&world, &format!("after kill {kill}"));
    }
    let kept = load.end();
    kept.refusals_are_temporary("kill");
    before.and(kept).holds(&world, "killed");
}

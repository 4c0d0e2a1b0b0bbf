//! There is no room on the disk, for the database and the log.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::Command,
};

use grantor_testkit::binary::database::is_not_of_sqlite;

use crate::{load::Load, world::World};

/// The log is on the same disk.
const SCRIPT: &str = "exec \"$0\" \"$@\" 2>>\"$LOG\"";

/// Under load the room ends, and there is room again.
fn full_for_a_while(world: &World, what: &str, fill: impl FnOnce(), make_room: impl FnOnce()) {
    let before = world.control();
    let load = Load::begin(world);
    load.goes_on(world, "before the disk is full");
    fill();
    world
        .server
        .wait_until("requests are told to come back", || load.refused() > 20);
    world.is_not_ready(what);
    make_room();
    load.goes_on(world, "when there is room again");
    let kept = load.end();
    kept.refusals_are_temporary(what);
    assert!(kept.unsure.is_empty(), "{what}: {:?}", kept.unsure);
    before.and(kept).holds(world, what);
}

#[test]
fn files_that_may_not_grow_refuse_for_a_while_and_lose_nothing() {
    if is_not_of_sqlite("the disk is PostgreSQL's") {
        return;
    }
    let world = World::start();
    let log = world.server.directory().join("log");
    let world = world.restart_in(SCRIPT, &[("LOG", &log)]);
    let limit = |octets: &str| {
        let pid = world.server.pid().to_string();
        let status = Command::new("prlimit")
            .args(["--pid", &pid, &format!("--fsize={octets}:unlimited")])
            .status();
        assert!(status.expect("prlimit").success());
    };
    full_for_a_while(&world, "file size", || limit("4096"), || limit("unlimited"));
    let world = world.kill_and_restart();
    world.serves("started anew");
}

/// A file system in memory of so many octets, over a directory. Gone when dropped.
struct Mounted(PathBuf);

impl Mounted {
    fn over(data: &Path, size: &str) -> Result<Self, String> {
        let options = format!("size={size},mode=0700");
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "grantor-test"])
            .arg(data)
            .output();
        let output = mount.map_err(|error| error.to_string())?;
        match output.status.success() {
            true => Ok(Self(data.to_owned())),
            false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Lazily: the server may still have files open there.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_refuses_for_a_while_and_loses_nothing() {
    if is_not_of_sqlite("the disk is PostgreSQL's") {
        return;
    }
    let mut world = World::start();
    world.server.terminate();
    let data = world.server.data();
    let aside = world.server.directory().join("aside");
    fs::rename(&data, &aside)
        .and_then(|()| fs::create_dir(&data))
        .expect("moved");
    let mounted = match Mounted::over(&data, "64m") {
        Ok(mounted) => mounted,
        Err(why) => {
            let _ = writeln!(
                io::stderr(),
                "SKIPPED a_full_disk_refuses_for_a_while_and_loses_nothing: no tmpfs: {why}"
            );
            return;
        }
    };
    let copied = Command::new("cp")
        .arg("-a")
        .arg(aside.join("."))
        .arg(&data)
        .status();
    assert!(copied.expect("cp").success());
    let log = data.join("log");
    let world = World {
        server: world.server.restart_in(SCRIPT, &[("LOG", &log)]),
        ..world
    };
    let filler = data.join("filler");
    let fill = || {
        let mut file = File::create(&filler).expect("a file");
        for piece in [65_536, 512] {
            while file.write_all(&vec![0; piece]).is_ok() {}
        }
    };
    full_for_a_while(&world, "full disk", fill, || {
        fs::remove_file(&filler).expect("room");
    });
    let mut world = world.kill_and_restart();
    world.serves("started anew");
    world.server.kill();
    drop(mounted);
}

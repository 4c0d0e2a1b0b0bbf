//! PostgreSQL's disk is full, and has room again.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use grantor_testkit::{
    postgres::{Database, Postgres, skipped, skipped_for},
    wait::blocking,
};

use crate::{
    load::{Load, pause},
    nodes::Nodes,
};

/// How soon nodes serve again when there is room.
const FREED: Duration = Duration::from_secs(11);

/// A small disk in memory that the server's user may write to. Gone when dropped.
struct Disk(PathBuf);

impl Disk {
    /// None where nothing may be mounted: the test says that it is skipped.
    fn new(megabytes: u32) -> Option<Self> {
        let place = tempfile::tempdir().expect("a directory").keep();
        let options = format!("size={megabytes}m,mode=755,uid=postgres,gid=postgres");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &options, "tmpfs"]);
        let mounted = mount.arg(&place).output();
        if !mounted.is_ok_and(|mounted| mounted.status.success()) {
            fs::remove_dir(&place).expect("an empty directory");
            skipped_for("a disk in memory may not be mounted");
            return None;
        }
        Some(Self(place))
    }

    fn path(&self) -> &Path {
        &self.0
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }

    /// Leaves no room.
    fn fill(&self) {
        let mut ballast = fs::File::create(self.ballast()).expect("a file");
        let some = vec![0; 64 * 1024];
        while ballast.write_all(&some).is_ok() {}
        while ballast.write_all(&some[..512]).is_ok() {}
    }

    fn free(&self) {
        fs::remove_file(self.ballast()).expect("it was there");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // At once for who looks, and in truth when nobody has anything there.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
        let _ = fs::remove_dir(&self.0);
    }
}

/// Fills the disk under load until requests fail, keeps it so for a while, and frees it. Each
/// answer meanwhile is 200 or 503: the history sees to it.
fn fill_and_free(disk: &Disk, database: &Database, hurry: &str) {
    let server = database.server();
    let nodes = Nodes::start(database, 3);
    let load = Load::begin(&nodes);
    for round in 0..2 {
        let what = format!("the disk was full, {round}");
        disk.fill();
        let unavailable = || {
            let seen = load.history.answers();
            seen.iter().filter(|seen| seen.status == 503).count()
        };
        let before = unavailable();
        blocking::within(Duration::from_secs(60), "nothing can be written", || {
            // What is left of room elsewhere is used up sooner.
            let _ = server.psql(&database.name, hurry);
            unavailable() > before + 20
        });
        pause(Duration::from_secs(3));
        disk.free();
        // One that has ended is started again by whatever supervises it.
        let answers = || server.psql("postgres", "SELECT 1").is_ok();
        if !blocking::comes(Duration::from_secs(10), answers) {
            server.kill();
            server.start();
        }
        nodes.serve_within(FREED, &what);
        load.grants(20);
    }
    load.end().holds(&nodes, "the disk was full");
}

#[test]
#[ignore = "nightly: several servers and a full disk"]
fn sa21_while_the_disk_of_the_tables_is_full_nothing_is_granted_or_forgotten() {
    let Some(disk) = Disk::new(64) else {
        return;
    };
    let Some(server) = Postgres::new(&[]) else {
        return skipped();
    };
    let make = format!(
        "CREATE TABLESPACE small LOCATION '{}'",
        disk.path().display()
    );
    server.psql("postgres", &make).expect("a place for tables");
    let database = server.database_with("TABLESPACE small");
    // Room that deleted claims have left.
    let hurry = "INSERT INTO claim (issuer, name, until) \
        SELECT 0, gen_random_uuid(), 0 FROM generate_series(1, 10000)";
    fill_and_free(&disk, &database, hurry);
}

#[test]
#[ignore = "nightly: several servers and a full disk"]
fn sa21_while_the_whole_disk_of_the_server_is_full_nothing_is_granted_or_forgotten() {
    let Some(disk) = Disk::new(256) else {
        return;
    };
    let settings = [("max_wal_size", "64MB"), ("wal_keep_size", "0")];
    let Some(server) = Postgres::new_in(disk.path(), &settings) else {
        return skipped();
    };
    let database = server.database();
    fill_and_free(&disk, &database, "SELECT pg_switch_wal()");
}

//! Faults of the machine under the running binary: the disk, the log, the lock of the database, the
//! clock, the process itself, and restores and backups meanwhile. Honest clients go on all the
//! while, and what they were answered is held against one oracle. The same load, before the fault,
//! passes the same oracle.

use grantor_testkit::binary as support;

mod backup;
mod clock;
mod disk;
mod kill;
mod load;
mod lock;
mod log;
mod oracle;
mod start;
mod world;

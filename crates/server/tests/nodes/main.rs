//! Several running binaries on one real PostgreSQL, and what is done to them: `spec/many-nodes.md`
//! §8. Honest clients go on all the while, and what they were told is held against one history.
//! Where PostgreSQL is not installed, each test says that it is skipped.

mod changes;
mod claims;
mod clocks;
mod connections;
mod disk;
mod faults;
mod history;
mod load;
mod network;
mod nodes;
mod replicated;
mod rolling;
mod size;
mod start;
mod upkeep;

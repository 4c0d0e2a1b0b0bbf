//! MA: attacks on the administration, on the running binary by plain HTTP. The rows are those of the
//! attacks on the admin API.

mod at_once;
mod audit;
mod audit_at_console;
mod audit_kept;
mod callers;
mod climb;
mod climb_by_names;
mod files;
mod listeners;
mod lists;
mod office;
mod once;
mod owners;

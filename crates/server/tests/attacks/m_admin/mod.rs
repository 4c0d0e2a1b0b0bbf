//! MA: attacks on the administration, on the running binary by plain HTTP. The rows are those of the
//! attacks on the admin API.

mod callers;
mod climb;
mod climb_by_names;
mod listeners;
mod lists;
mod office;
mod owners;

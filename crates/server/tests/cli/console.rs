//! The console by HTTP, as a browser without script sees it.

mod clients;

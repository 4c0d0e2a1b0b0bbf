//! Statistics: how many requests were decided, and how (M084).

mod charts;
mod show;
mod words;

pub use self::{charts::Charts, show::StatisticsPage, words::Words};

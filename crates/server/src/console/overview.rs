//! The first page: is anything wrong (M120)?

mod item;
mod show;
mod words;

pub use self::show::OverviewPage;

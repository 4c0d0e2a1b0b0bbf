//! The first page: is anything wrong (M120)?

mod attention;
mod show;
mod words;

pub use self::show::OverviewPage;

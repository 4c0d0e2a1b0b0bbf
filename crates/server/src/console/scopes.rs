//! Pages of the catalogue of scopes: what people read who are asked for them (M127).

mod delete;
mod edit;
mod list;
mod show;
mod words;

pub use self::{
    delete::DeletePage,
    edit::{EditPage, NewPage},
    list::ListPage,
    show::ScopePage,
};

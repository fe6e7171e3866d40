//! Reading objects: one, many, and the forms in which they are shown.
//!
//! Reads never change anything and never parse an object that is sent as it is stored.

mod get;
mod list;
mod page;
mod present;
mod selection;
mod token;

pub(crate) use get::{fresh_enough, get, invalid_revision};
pub(crate) use list::{Listing, NoPage, collect, list};
pub(crate) use present::Presenter;
pub(crate) use selection::Selection;

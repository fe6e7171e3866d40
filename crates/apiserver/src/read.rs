//! GET and LIST, and [`Presenter`], which encodes objects in the form that the client accepts.
//!
//! `get` and `list` are the handlers; `page` reads a page from the store, `selection` applies label and field
//! selectors, `token` is the `continue` token. An object that is sent in its stored version is never parsed: the reply
//! has slices of the stored [`Record`](crate::record::Record).

mod get;
mod list;
mod page;
mod present;
mod revision;
mod selection;
pub(crate) mod token;

pub(crate) use get::get;
pub(crate) use list::list;
pub(crate) use page::{ListError, Listing, collect};
pub(crate) use present::Presenter;
pub(crate) use revision::{fresh_enough, invalid_revision};
pub(crate) use selection::Selection;

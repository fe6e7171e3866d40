//! apiserver

pub mod kinds;

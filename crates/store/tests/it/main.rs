//! The store as its callers see it: against a model, through crashes, and by the clock.

mod crash;
mod measure;
mod model;
mod note;

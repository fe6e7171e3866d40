//! The store as its callers see it: against a model, through crashes, and by the clock.

mod backup;
mod crash;
mod damage;
mod full;
mod measure;
mod model;
mod note;
mod power;
mod seeds;

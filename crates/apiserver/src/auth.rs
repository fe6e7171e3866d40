//! Who asks, and whether they may.
//!
//! A request gets its [`User`] from [`authentication`], possibly exchanged by [`impersonation`]; [`rules`] then
//! decides on its [`Attributes`]. Everything is computed in memory from values that the caller passes in: nothing
//! here reads the store, a clock or a socket, and no credential is ever logged or kept in the clear.
//!
//! ```text
//! certificate ─┐
//! token ───────┼─► authentication ─► User ─► impersonation ─► Attributes ─► rules ─► Decision
//! nothing ─────┘
//! ```

pub mod authentication;
pub mod bootstrap;
pub mod certificate;
pub mod escalation;
pub mod impersonation;
pub mod reviews;
pub mod rule;
pub mod rules;
pub mod token;
pub mod token_request;
pub mod user;

mod attributes;

pub use attributes::{Attributes, ResourceTarget, Target};
pub use authentication::{Authentication, Credentials, Directory};
pub use rules::{Decision, Rules};
pub use user::User;

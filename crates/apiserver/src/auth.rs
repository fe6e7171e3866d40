//! Authentication and authorization.
//!
//! A request gets its [`User`] from [`authentication`], possibly replaced by [`impersonation`]; [`rules`] decides about
//! its [`Attributes`]. Pure: nothing here reads the store or a clock, and only [`oidc`] uses a socket, for keys. Credentials
//! are not logged, and only their digests are kept.
//!
//! ```text
//! certificate ─┐
//! token ───────┼─► authentication ─► User ─► impersonation ─► Attributes ─► rules ─► Decision
//! anonymous ───┘
//! ```

pub mod authentication;
pub mod bootstrap;
pub mod bootstrap_token;
pub mod certificate;
pub mod escalation;
pub mod impersonation;
pub mod oidc;
pub mod reviews;
pub mod rule;
pub mod rules;
pub mod token;
pub mod token_request;
pub mod user;

mod attributes;
mod directory;

pub use attributes::{AccessTarget, Attributes, ResourceTarget};
pub use authentication::{Authentication, Credentials};
pub use directory::Directory;
pub use rules::{Decision, Rules};
pub use user::User;

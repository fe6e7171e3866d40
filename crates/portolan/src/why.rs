//! `portolan why`: explains one object, one service, or lists everything that is broken.

pub(crate) mod arguments;
mod object;
mod render;
mod service;
mod sweep;

use anyhow::{Result, bail};

use arguments::{Why, WhyOther};
pub(crate) use object::{connect_member, parts};
pub(crate) use render::age_of;
pub(crate) use service::read_member;

/// Prints the explanation; fails if a step is broken.
pub(crate) async fn run(arguments: Why) -> Result<()> {
    if let Some(WhyOther::Service(arguments)) = arguments.other {
        return service::run(arguments).await;
    }
    let arguments = arguments.object;
    match arguments.object.as_slice() {
        [] => sweep::run(&arguments).await,
        [one] if !one.contains('/') => {
            bail!(
                "name an object as KIND/NAME, such as {one}/NAME, or `portolan why service NAME` for an exported service"
            )
        }
        _ => object::run(&arguments).await,
    }
}

//! The DNS server of the control plane: the zones of Federations with the provider `builtIn`.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use portolan_controllers::federation::{PlaceDatabase, PublicDns};
use portolan_dns::{Server, Statistics, Zones};
use portolan_net::{Clock, Shutdown};

use crate::arguments::ControllerFlags;

/// Threads that answer UDP.
const WORKERS: usize = 2;
/// Time between two looks at the file of the database of places.
const PLACES_INTERVAL: Duration = Duration::from_secs(60);

/// Listens if the flags say so, and answers for the zones that the controllers add.
pub(crate) fn serve(
    flags: &ControllerFlags,
    clock: &Clock,
    scope: &Shutdown,
) -> Result<Option<(PublicDns, Statistics)>> {
    let Some(address) = flags.federation_dns_listen else { return Ok(None) };
    let places = flags.federation_dns_places.as_deref().map(PlaceDatabase::open).transpose()?;
    if let Some(places) = &places {
        follow(places.clone(), scope);
    }
    let zones = Zones::new(Vec::new())?;
    let server = Server::bind(zones.clone(), address, WORKERS)?;
    let addresses = server.addresses();
    anstream::println!("federation dns: {}", addresses.first().map(ToString::to_string).unwrap_or_default());
    let statistics = server.start(scope)?;
    let dns = PublicDns::new(zones, clock.clone(), scope.clone()).with_places(places);
    Ok(Some((dns, statistics)))
}

/// Reads the database again when its file has changed, as long as the scope lasts.
fn follow(places: Arc<PlaceDatabase>, scope: &Shutdown) {
    let stop = scope.clone();
    // The scope waits for the task, so the handle is not needed.
    let _handle = scope.spawn(async move {
        loop {
            tokio::select! {
                () = stop.requested() => return,
                () = tokio::time::sleep(PLACES_INTERVAL) => {}
            }
            let database = places.clone();
            match tokio::task::spawn_blocking(move || database.refresh()).await {
                Ok(Ok(true)) => tracing::info!("the database of places was read again"),
                Ok(Ok(false)) => {}
                Ok(Err(error)) => tracing::warn!(%error, "the database of places stays as it was"),
                Err(error) => tracing::error!(%error, "the database of places was not read"),
            }
        }
    });
}

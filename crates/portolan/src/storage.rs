//! `portolan storage migrate`: all stored objects get the form of new ones.

use std::sync::Arc;

use anyhow::{Context, Result, bail};

use crate::arguments::{StorageMigrate, api_server};

/// Writes the objects again.
pub(crate) async fn migrate(arguments: StorageMigrate) -> Result<()> {
    let StorageMigrate { dir, encryption_provider_config } = arguments;
    let encryption = Arc::new(api_server::encryption(&encryption_provider_config)?);
    let work = move || portolan_controlplane::migrate_storage(&dir, encryption);
    let summary = tokio::task::spawn_blocking(work).await.context("the migration stopped")??;
    for damaged in &summary.damaged {
        anstream::eprintln!("warning: {} stays as it is: {}", damaged.key, damaged.reason);
    }
    anstream::println!("{} of {} objects were written again", summary.rewritten, summary.objects);
    if !summary.damaged.is_empty() {
        bail!("{} objects cannot be read", summary.damaged.len());
    }
    Ok(())
}

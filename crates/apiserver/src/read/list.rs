//! LIST: a page of a collection in the form that the client accepts.
//!
//! The reply is assembled from stored bytes while it is sent; the encoded list is never in memory as a whole.

use http::{Response, StatusCode};
use portolan_object::Status;
use portolan_object::status::{ListMetadata, StatusDocument};

use super::page::{ListError, collect};
use super::present::Presenter;
use super::selection::Selection;
use crate::call::Call;
use crate::negotiate::{Form, Offer, Reply};
use crate::request::options::ListOptions;
use crate::resources::Resource;
use crate::respond::{self, Body};

/// GET of a collection.
pub(crate) async fn list(call: &Call) -> Result<Response<Body>, Status> {
    let reply = Reply::negotiate(&call.headers, &call.query, Offer::Objects)?;
    let options = ListOptions::parse(&call.query, false)?;
    let selection = Selection::parse(&call.resource, &options)?;
    if reply.form == Form::Metadata {
        return Err(wrong_form(&call.resource));
    }
    let presenter = Presenter::new(call, Reply { form: item_form(reply.form), ..reply })?;
    if options.continue_token.is_empty() {
        super::fresh_enough(&call.server.store, &options.resource_version).await?;
    }
    warn_of_damage(call);
    let listing = match collect(call, &call.info.namespace, &selection, &options) {
        Ok(listing) => listing,
        Err(ListError::Refused(status)) => return Err(status),
        Err(ListError::Expired { restart }) => return Ok(expired(&restart, reply)),
    };
    Ok(presenter.list(listing))
}

/// Says that the list is not complete.
fn warn_of_damage(call: &Call) {
    let damaged = call.server.store.damaged_below(&call.resource.collection(&call.info.namespace));
    if let Some(first) = damaged.first() {
        let (key, count) = (&first.key, damaged.len());
        call.warn(format!("damaged objects are left out of this list: {count}, the first is {key}"));
    }
}

/// The form of one item of a list.
fn item_form(form: Form) -> Form {
    if form == Form::MetadataList { Form::Metadata } else { form }
}

fn wrong_form(resource: &Resource) -> Status {
    let go_type = resource.go_type(&resource.list_kind);
    let text = format!("you requested PartialObjectMetadata, but the requested object is a list ({go_type})");
    Status::new(406, "NotAcceptable", text)
}

/// 410 with a token that continues after the same key in the newest state.
fn expired(restart: &str, reply: Reply) -> Response<Body> {
    let text = "The provided continue parameter is too old to display a consistent list result. You can start a \
                new list without the continue parameter, or use the continue token in this response to retrieve \
                the remainder of the results. Continuing with the provided token results in an inconsistent list \
                - objects that were created, modified, or deleted between the time the first chunk was returned \
                and now may show up in the list.";
    let status = Status::new(410, "Expired", text);
    let metadata = ListMetadata { next: restart };
    respond::value(StatusCode::GONE, &StatusDocument { metadata, ..status.document() }, reply)
}

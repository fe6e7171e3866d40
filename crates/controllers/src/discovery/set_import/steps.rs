//! Takes the planned steps of an import of a set in its member.

use portolan_api::labels;
use portolan_object::{Object, ObjectKey};
use portolan_plan::discovery::derived_service::updated_service;
use portolan_plan::discovery::set_import::{RefusedFamilies, SetImportAction};
use portolan_plan::import_marks::is_of_set;
use portolan_runtime::client::ClientError;

use super::SetImport;
use crate::discovery::importer::{ImportError, Importer, keep_first};
use crate::discovery::member_writer::MemberWriter;

impl Importer {
    /// Takes the steps of one pass. A failed EndpointSlice does not stop the steps after it.
    pub(super) async fn apply_set_import(
        &self,
        set_import: &SetImport<'_>,
        actions: Vec<SetImportAction>,
    ) -> Result<(), ImportError> {
        let mut failure = None;
        let slices = actions.iter().filter_map(|action| match action {
            SetImportAction::PutSlice(slice) => Some(slice.key()),
            _ => None,
        });
        let slices: Vec<ObjectKey> = slices.collect();
        self.keep_refusals(set_import.key, labels::endpoint_slice::CLUSTER_SET_MANAGER, &slices);
        for action in actions {
            let is_independent = action.is_independent();
            match self.apply_set_import_action(set_import, action).await {
                Err(error) if !is_independent => return Err(error),
                result => keep_first(&mut failure, result),
            }
        }
        failure.map_or(Ok(()), Err)
    }

    async fn apply_set_import_action(
        &self,
        set_import: &SetImport<'_>,
        action: SetImportAction,
    ) -> Result<(), ImportError> {
        let (key, member) = (set_import.key, self.site.member());
        let services = MemberWriter { member, cache: self.site.service_cache() };
        let slices = MemberWriter { member, cache: self.site.slice_cache() };
        let imports = MemberWriter { member, cache: &set_import.imports };
        // A Service that has reached the cache after the plan was made may be another controller's.
        let is_foreign =
            |service: &Object| services.cache.get(&service.key()).is_some_and(|present| !is_of_set(&present));
        match action {
            SetImportAction::PutService(service) if is_foreign(&service) => {
                Err(ImportError::ForeignService { service: service.key() })
            }
            SetImportAction::PutService(service) => match put_service(&services, &service).await {
                Err(error) if is_family_refused(&error) => {
                    // The next pass reports the refusal in the status of the import instead of repeating the request.
                    let refused = RefusedFamilies::new(&service, error.to_string());
                    self.refused_families.lock().insert(key.clone(), refused);
                    Ok(())
                }
                result => {
                    self.refused_families.lock().remove(key);
                    Ok(result?)
                }
            },
            SetImportAction::PutImport(import) => {
                self.seen_imports.lock().insert(key.clone());
                Ok(imports.put(import).await?)
            }
            SetImportAction::PutStatus(import) => {
                let before = imports.cache.get(&import.key());
                imports.put_status(&import).await?;
                self.report_exporters(before.as_deref(), &import);
                Ok(())
            }
            SetImportAction::PutSlice(slice) => self.put_slice(key, slice).await,
            SetImportAction::DeleteSlice(key) => Ok(slices.delete(&key).await?),
            SetImportAction::DeleteService(key) => Ok(services.delete(&key).await?),
            SetImportAction::DeleteImport(import) => {
                self.refused_families.lock().remove(key);
                Ok(imports.delete(&import).await?)
            }
            SetImportAction::ReportForeignService(service) => Err(ImportError::ForeignService { service }),
        }
    }
}

/// POST if the cache has no such Service, so that a Service created meanwhile by another controller is not taken over.
async fn put_service(services: &MemberWriter<'_>, service: &Object) -> Result<(), ClientError> {
    match services.cache.get(&service.key()) {
        Some(present) => services.put(updated_service(&present, service)).await,
        None => services.create(service).await,
    }
}

/// Whether an API server refused a Service because of its address families: a 422 with a cause for `spec.ipFamilies`
/// (kubernetes pkg/registry/core/service/storage/alloc.go).
fn is_family_refused(error: &ClientError) -> bool {
    let ClientError::Invalid(status) = error else { return false };
    let causes = status.details.iter().flat_map(|details| &details.causes);
    causes.into_iter().any(|cause| cause.field.starts_with("spec.ipFamilies"))
}

#[cfg(test)]
mod tests {
    use portolan_object::Status;
    use portolan_object::status::{Cause, Details};

    use super::*;

    #[test]
    fn refused_families_are_recognised_by_the_field_of_the_cause() {
        let cases = [
            (
                "a family",
                "spec.ipFamilies[0]",
                "Invalid value: \"IPv6\": not configured on this cluster",
                true,
            ),
            ("all families", "spec.ipFamilies", "Invalid value", true),
            ("another field", "spec.ports[0].port", "see spec.ipFamilies", false),
            ("no field", "", "ipFamilies", false),
        ];
        for (name, field, message, want) in cases {
            let cause = Cause { field: field.to_owned(), message: message.to_owned(), ..Cause::default() };
            let details = Details { causes: vec![cause], ..Details::default() };
            let mut status = Status::new(422, "Invalid", message);
            status.details = Some(Box::new(details));
            assert_eq!(is_family_refused(&ClientError::Invalid(status.clone())), want, "{name}");
            assert!(!is_family_refused(&ClientError::Conflict(status)), "{name}: another error");
        }
    }
}

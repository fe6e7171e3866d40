//! The constants of built-in resources, against an API server.

use portolan_api::resources;
use portolan_net::Shutdown;
use portolan_runtime::Resource;

use crate::federation::Plane;

#[tokio::test(flavor = "multi_thread")]
async fn built_in_resources_are_served_as_their_constants_say() {
    let scope = Shutdown::new();
    let plane = Plane::start(&scope).await;
    let discovery = plane.client.discover().await.expect("an API server that answers");
    for resource in resources::ALL {
        let served = discovery.find(resource.group, resource.kind).map(|found| found.resource.clone());
        assert_eq!(served, Some(Resource::from(*resource)), "{}", resource.kind);
    }
    scope.request();
}

//! Stolen credentials: what belongs to one member opens nothing else.
//!
//! Three are stolen: the hub's token for a member, the token of the agent in it, and the key of its authority. Each is used
//! against the hub and against another member; that of the agent also against its own member, beyond what it reads; and
//! all against the agent's pages and its DNS. The attack succeeds when anything is answered that is not a refusal.

mod agent;

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use portolan_e2e::proxy::Request;
use portolan_e2e::rbac_matrix::families;
use rand::RngExt as _;
use serde_json::{Value, json};

use super::Setting;
use crate::certificates::administrator_of;
use crate::client::{Client, media};
use crate::health::HealthChecks;
use crate::members::join;
use crate::server::Server;
use crate::tally::Tally;

use agent::Agent;

/// Attempts at least, also when the time is over.
const MIN_ATTEMPTS: usize = 400;
const MANIFEST: &str = include_str!("../../../deploy/agent/agent.yaml");
const IMPORTS: &str = include_str!("../../../deploy/crds/serviceimports.multicluster.x-k8s.io.yaml");

/// A credential, and a server that must refuse it.
struct Aim {
    name: &'static str,
    client: Client,
    /// Paths that this credential may read there.
    allowed: &'static [&'static str],
}

pub(super) async fn run(setting: &Setting) -> Result<Tally> {
    let folder = tempfile::tempdir()?;
    let start = |name: &str| Server::start(&setting.portolan, &folder.path().join(name));
    let (hub, one, two) = (start("hub")?, start("one")?, start("two")?);
    join(&setting.portolan, &hub, "one", &one.kubeconfig()).await?;
    join(&setting.portolan, &hub, "two", &two.kubeconfig()).await?;
    let agent_token = install_agent(&one.client()?).await?;
    let kubeconfig = folder.path().join("agent.config");
    fs::write(&kubeconfig, one.client()?.kubeconfig_with_token(&agent_token))?;
    let agent = Agent::start(&setting.portolan, &kubeconfig)?;
    let aims = aims(&hub, &one, &two, folder.path(), &agent_token).await?;

    let health = HealthChecks::start(hub.client()?);
    let (mut random, mut tally, deadline) = (setting.random(), Tally::default(), setting.deadline());
    let requests = requests();
    let mut attempts = 0;
    while attempts < MIN_ATTEMPTS || Instant::now() < deadline {
        let aim = &aims[random.random_range(0..aims.len())];
        let request = &requests[random.random_range(0..requests.len())];
        attempts += 1;
        if !aim.allowed.iter().any(|path| request.path.contains(path)) {
            try_request(aim, request, &mut tally).await;
        }
        match attempts % 4 {
            0 => agent.try_page(&agent_token, &mut random, &mut tally).await?,
            1 => agent.try_dns(&mut random, &mut tally).await?,
            _ => {}
        }
    }
    tally.add_health(&health.finish());
    Ok(tally)
}

/// Every pair of a stolen credential and a server where it is worth nothing.
async fn aims(hub: &Server, one: &Server, two: &Server, folder: &Path, agent: &str) -> Result<Vec<Aim>> {
    let secret =
        hub.client()?.request(&Method::GET, "/api/v1/namespaces/karmada-cluster/secrets/one").await?;
    let token =
        secret.json()?["data"]["token"].as_str().map(|text| STANDARD.decode(text)).context("no token")??;
    let token = String::from_utf8(token)?;
    let own = one.client()?.with_token(&token)?;
    let works = own.request(&Method::GET, "/api/v1/namespaces").await?;
    anyhow::ensure!(works.status == 200, "the token of member one is not valid there: {}", works.message());
    let file = |name: &str| fs::read_to_string(folder.join("one/state/_control-plane/pki").join(name));
    let forged = || administrator_of(&file("ca.crt")?, &file("ca.key")?);
    let works = one.client()?.with_certificate(forged()?)?.request(&Method::GET, "/api/v1/secrets").await?;
    anyhow::ensure!(
        works.status == 200,
        "the forged administrator has no rights in member one: {}",
        works.message()
    );
    let mut aims = Vec::new();
    for (server, names) in [
        (hub, ["member token → hub", "agent token → hub", "member authority → hub"]),
        (
            two,
            ["member token → other member", "agent token → other member", "member authority → other member"],
        ),
    ] {
        let client = server.client()?;
        let clients =
            [client.with_token(&token)?, client.with_token(agent)?, client.with_certificate(forged()?)?];
        aims.extend(names.into_iter().zip(clients).map(|(name, client)| Aim { name, client, allowed: &[] }));
    }
    aims.push(Aim {
        name: "agent token → its member",
        client: one.client()?.with_token(agent)?,
        // What the agent reads, what every user may ask about itself, and what everybody may read.
        allowed: &["/services", "/endpointslices", "/serviceimports", "selfsubject", "/version"],
    });
    Ok(aims)
}

/// What an intruder asks for: reads and writes of all kinds, and what leads to more rights.
fn requests() -> Vec<Request> {
    let mut requests: Vec<Request> = families().into_iter().flat_map(|family| family.requests).collect();
    let read = |path: &str| Request {
        method: "GET",
        path: path.to_owned(),
        content_type: "",
        accept: media::JSON,
        body: Value::Null,
    };
    requests.extend(
        [
            "/api/v1/secrets",
            "/api/v1/namespaces/karmada-cluster/secrets/two",
            "/apis/cluster.karmada.io/v1alpha1/clusters",
            "/apis/cluster.karmada.io/v1alpha1/clusters/two/proxy/api/v1/secrets",
            "/apis/work.karmada.io/v1alpha1/works?watch=true",
            "/apis/portolan.dev/v1alpha1/clustersets",
            "/metrics",
        ]
        .map(read),
    );
    let write = |method, path: &str, content_type, body| Request {
        method,
        path: path.to_owned(),
        content_type,
        accept: media::JSON,
        body,
    };
    requests.extend([
        write(
            "POST",
            "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
            media::JSON,
            json!({"metadata": {"name": "stolen"}, "subjects": [{"kind": "Group", "name": "system:serviceaccounts",
                "apiGroup": "rbac.authorization.k8s.io"}], "roleRef": {"kind": "ClusterRole", "name": "cluster-admin",
                "apiGroup": "rbac.authorization.k8s.io"}}),
        ),
        write(
            "POST",
            "/api/v1/namespaces/karmada-cluster/serviceaccounts/two/token",
            media::JSON,
            json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}),
        ),
        write(
            "PATCH",
            "/apis/cluster.karmada.io/v1alpha1/clusters/two",
            media::MERGE_PATCH,
            json!({"spec": {"apiEndpoint": "https://127.0.0.1:1"}}),
        ),
        write("DELETE", "/apis/cluster.karmada.io/v1alpha1/clusters/two", media::JSON, Value::Null),
        write("DELETE", "/api/v1/namespaces/default/configmaps", media::JSON, Value::Null),
    ]);
    requests
}

async fn try_request(aim: &Aim, request: &Request, tally: &mut Tally) {
    let Ok(method) = request.method.parse() else { return };
    let body = if request.body.is_null() { String::new() } else { request.body.to_string() };
    match aim.client.send(&method, &request.path, request.content_type, body).await {
        Ok(answer) if matches!(answer.status, 401 | 403) => tally.refused(),
        Ok(answer) => {
            let what = format!("{}: {} {}", aim.name, request.method, request.path);
            tally.succeeded(format!("{what}: {} {}", answer.status, answer.message()));
        }
        // The TLS handshake fails.
        Err(_) => tally.refused(),
    }
}

/// Applies what the agent needs; returns a token of its service account.
async fn install_agent(member: &Client) -> Result<String> {
    let kinds = [
        ("Namespace", "/api/v1/namespaces"),
        ("ServiceAccount", "/api/v1/namespaces/portolan-system/serviceaccounts"),
        ("ClusterRole", "/apis/rbac.authorization.k8s.io/v1/clusterroles"),
        ("ClusterRoleBinding", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"),
        ("CustomResourceDefinition", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"),
    ];
    for document in MANIFEST.split("\n---\n").chain([IMPORTS]) {
        let kind = document.lines().find_map(|line| line.strip_prefix("kind: ")).unwrap_or_default();
        let Some((_, path)) = kinds.iter().find(|(name, _)| *name == kind) else { continue };
        let made = member.send(&Method::POST, path, media::YAML, document.to_owned()).await?;
        anyhow::ensure!(matches!(made.status, 201 | 409), "{kind}: {}", made.message());
    }
    let path = "/api/v1/namespaces/portolan-system/serviceaccounts/portolan-agent/token";
    let request = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}});
    let made = member.create(path, &request).await?;
    Ok(made.json()?["status"]["token"].as_str().context("no token for the agent")?.to_owned())
}

//! `nginx`: serves a welcome page on port 80.
//!
//! Arguments are ignored, and there is no configuration.

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use http_body_util::Full;

use crate::programs::web::{self, Answer};
use crate::programs::{Executable, Image, Process, Running, busybox};

pub(crate) const IMAGE: Image = Image {
    repositories: &["nginx"],
    entrypoint: &["/docker-entrypoint.sh"],
    command: &["nginx", "-g", "daemon off;"],
    executables: &[
        Executable { path: "/docker-entrypoint.sh", run },
        Executable { path: "/usr/sbin/nginx", run },
    ],
    base: busybox::COMMANDS,
};

const PORT: u16 = 80;

const WELCOME: &str = "<!DOCTYPE html>
<html>
<head><title>Welcome to nginx!</title></head>
<body>
<h1>Welcome to nginx!</h1>
<p>Simulated by Portolan: the playground runs a built-in program instead of this image. It serves this page and nothing else.</p>
</body>
</html>
";

fn run(process: Process) -> Running {
    Box::pin(async move {
        process
            .stdout
            .line(format_args!("/docker-entrypoint.sh: nginx, simulated by Portolan, starts on port {PORT}"));
        match web::serve(&process.network, PORT, &process.stopping, answer).await {
            Ok(()) => 0,
            Err(error) => {
                process.stderr.line(format_args!("nginx: [emerg] bind() to 0.0.0.0:{PORT} failed ({error})"));
                1
            }
        }
    })
}

fn answer(request: &Parts) -> Answer {
    let (status, page) = match request.uri.path() {
        "/" | "/index.html" => (StatusCode::OK, WELCOME),
        _ => (StatusCode::NOT_FOUND, "<html><body><h1>404 Not Found</h1></body></html>\n"),
    };
    let mut answer = Answer::new(Full::new(Bytes::from_static(page.as_bytes())));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
    headers.insert(header::SERVER, HeaderValue::from_static("nginx (simulated by Portolan)"));
    answer
}

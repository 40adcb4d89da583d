//! One cell: a proxy, its clients and its origin on one thread, in memory.

use std::error::Error;
use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};

use evenkeel::base::{clock, tasks};
use evenkeel::config::{self, Color};
use evenkeel::control::{Control, Source};
use evenkeel::net::Network;
use evenkeel::process::{Assembled, Start};
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::Barrier;
use tokio_rustls::TlsConnector;

use crate::cell::Cell;
use crate::counting::{self, Allocations, Uncounted};
use crate::network::Memory;
use crate::peers::{H2, Stream, ask_h1, origin};

/// Client connections, each with one request (or one group of streams) open at a time.
const CONNECTIONS: usize = 8;

/// How many measured requests each connection makes.
const MEASURED: usize = 256;

/// As many before that: then as many buffers of the access log wait for its writer as during the
/// measurement.
const WARM_UP: usize = MEASURED;

/// The seed of all randomness in the proxy.
const SEED: u64 = 1;

/// The name in certificates and requests.
const NAME: &str = "www.example.com";

/// How many requests are measured.
pub(crate) const REQUESTS: u64 = (CONNECTIONS * MEASURED) as u64;

/// How many requests a run has.
pub(crate) const PLAYED: u64 = (CONNECTIONS * (WARM_UP + MEASURED)) as u64;

/// The address of the proxy.
const PROXY: ([u8; 4], u16) = ([10, 0, 0, 1], 80);

/// Longer than any cell takes, even under valgrind.
const TIMEOUT: Duration = Duration::from_secs(600);

pub(crate) type Failed = Box<dyn Error>;

/// Runs `cell` and returns the allocations of the proxy for [`REQUESTS`].
pub(crate) fn run(cell: Cell, dir: &Path) -> Result<Allocations, Failed> {
    let certificate = write_certificate(dir)?;
    let text = config_text(cell, dir);
    let loaded = config::load_text("budget.toml", &text)
        .map_err(|diagnostics| diagnostics.render(Color::Never))?;
    let watch = loaded.watch.clone();
    let memory = Memory::default();
    let start = Start {
        source: Source::Text {
            name: "budget.toml".to_owned(),
            text,
        },
        loaded,
        logging: None,
        network: Network::Other(Arc::new(memory.clone())),
    };
    let Assembled {
        worker,
        control,
        commands,
        log_writers,
        access_log,
    } = Assembled::new(start, SEED)?;
    // It ends with the process, when nothing is left to write.
    for writer in log_writers {
        tasks::spawn_thread("log", || writer.run())?;
    }
    let runtime = tasks::local_runtime()?;
    runtime.block_on(async move {
        for number in 1..=2 {
            let listening = memory.listen(SocketAddr::from(([10, 0, 1, number], 80)));
            tasks::spawn_local(Uncounted::new(origin(listening)));
        }
        let control = Control::start(control, watch).await?;
        tasks::spawn_local(control.run());
        tasks::spawn_local(worker.run());
        let allocations = Uncounted::new(play(cell, memory, certificate)).await?;
        drop((commands, access_log));
        Ok(allocations)
    })
}

/// Warms the clients up, and counts the work of the proxy for the requests after that.
async fn play(
    cell: Cell,
    memory: Memory,
    certificate: CertificateDer<'static>,
) -> Result<Allocations, Failed> {
    let barrier = Rc::new(Barrier::new(CONNECTIONS + 1));
    let connector = connector(cell, certificate)?;
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        let client = client(cell, memory.clone(), connector.clone(), Rc::clone(&barrier));
        clients.push(tasks::spawn_local(Uncounted::new(client)));
    }
    let measured = async {
        barrier.wait().await;
        counting::begin();
        barrier.wait().await;
        for client in clients.drain(..) {
            client.await??;
        }
        Ok(counting::end())
    };
    let measured = clock::within(TIMEOUT, measured).await;
    measured.unwrap_or_else(|_| Err("the clients have no answers".into()))
}

async fn client(
    cell: Cell,
    memory: Memory,
    connector: TlsConnector,
    barrier: Rc<Barrier>,
) -> io::Result<()> {
    let stream = loop {
        match memory.dial(PROXY.into()) {
            Ok(stream) => break stream,
            // The proxy does not listen yet.
            Err(_) => tasks::yield_now().await,
        }
    };
    if cell.has_tls() {
        let name = ServerName::try_from(NAME).map_err(io::Error::other)?;
        let stream = connector.connect(name, stream).await?;
        ask(cell, stream, &barrier).await
    } else {
        ask(cell, stream, &barrier).await
    }
}

/// Sends the requests of a cell: first the warm-up, and after that of all clients is done, the
/// measured ones.
async fn ask(cell: Cell, mut stream: impl Stream, barrier: &Barrier) -> io::Result<()> {
    if cell.is_h2() {
        let mut client = H2::open(stream).await?;
        client.ask(WARM_UP).await?;
        barrier.wait().await;
        barrier.wait().await;
        client.ask(MEASURED).await
    } else {
        ask_h1(&mut stream, WARM_UP).await?;
        barrier.wait().await;
        barrier.wait().await;
        ask_h1(&mut stream, MEASURED).await
    }
}

fn connector(cell: Cell, certificate: CertificateDer<'static>) -> Result<TlsConnector, Failed> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate)?;
    let config = ClientConfig::builder_with_protocol_versions(&[&rustls::version::TLS13]);
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    let protocol: &[u8] = if cell.is_h2() { b"h2" } else { b"http/1.1" };
    config.alpn_protocols = vec![protocol.to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Writes a certificate and its key to a file that [`config_text`] names.
fn write_certificate(dir: &Path) -> Result<CertificateDer<'static>, Failed> {
    let pair = KeyPair::generate()?;
    let certificate = CertificateParams::new([NAME.to_owned()])?.self_signed(&pair)?;
    fs::write(
        dir.join("cert.pem"),
        certificate.pem() + &pair.serialize_pem(),
    )?;
    Ok(certificate.der().clone())
}

fn config_text(cell: Cell, dir: &Path) -> String {
    let dir = dir.display();
    let tls = if cell.has_tls() {
        format!("tls = {{ certificates = [\"{dir}/cert.pem\"] }}")
    } else {
        String::new()
    };
    format!(
        "[process]\nworkers = 1\n\
         [log.access]\nto = \"{dir}/access.log\"\n\
         [admin]\nlisten = \"10.0.0.1:9900\"\n\
         [frontend.web]\nlisten = \"10.0.0.1:80\"\nbackend = \"app\"\n{tls}\n\
         [backend.app]\nservers = [\"10.0.1.1:80\", \"10.0.1.2:80\"]\n"
    )
}

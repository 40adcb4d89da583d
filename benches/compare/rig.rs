//! The parts of every run: the cores, a directory, the origins, and the programs to compare.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::{env, fs, process};

use clap::Args;

use crate::child::{Pinned, part_on_cores};
use crate::face::Face;
use crate::machine;
use crate::proxies::Proxy;

// A second group of options beside those of `compare`, which have the same name.
#[derive(Args)]
#[group(skip)]
pub(crate) struct Options {
    /// The core that the proxy has to itself
    #[arg(long, default_value = "1", global = true)]
    proxy_core: String,
    /// The cores of origin and load, as `taskset -c` takes them
    #[arg(long, default_value = "0", global = true)]
    load_core: String,
}

pub(crate) struct Rig {
    pub(crate) proxy_core: String,
    pub(crate) load_core: String,
    pub(crate) programs: Vec<(Proxy, PathBuf)>,
    h1: Origin,
    // These cost nothing until they get requests.
    h1_narrow: Origin,
    h2: Origin,
    /// Dropped last.
    dir: Dir,
}

impl Rig {
    pub(crate) fn new(options: &Options, proxies: &[Proxy]) -> io::Result<Self> {
        machine::raise_open_files()?;
        let programs = proxies
            .iter()
            .map(|&proxy| Ok((proxy, proxy.program()?)))
            .collect::<io::Result<Vec<_>>>()?;
        Ok(Self {
            proxy_core: options.proxy_core.clone(),
            load_core: options.load_core.clone(),
            programs,
            h1: Origin::start(&options.load_core, "origin")?,
            h1_narrow: Origin::start(&options.load_core, "origin-narrow")?,
            h2: Origin::start(&options.load_core, "origin-h2")?,
            dir: Dir::new()?,
        })
    }

    pub(crate) fn program(&self, proxy: Proxy) -> io::Result<&Path> {
        self.programs
            .iter()
            .find_map(|(other, path)| (*other == proxy).then_some(path.as_path()))
            .ok_or_else(|| io::Error::other(format!("{} was not asked for", proxy.name())))
    }

    /// The servers behind a proxy with `face`.
    pub(crate) fn servers(&self, face: Face) -> [SocketAddr; 2] {
        match face {
            Face::H2Narrow => self.h1_narrow.servers,
            Face::H2Both => self.h2.servers,
            _ => self.h1.servers,
        }
    }

    pub(crate) fn origin_pids(&self) -> impl Iterator<Item = u32> {
        let all = [&self.h1, &self.h1_narrow, &self.h2];
        all.into_iter().map(|it| it.process.id())
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir.0
    }
}

/// A process that answers on two addresses.
pub(crate) struct Origin {
    process: Pinned,
    pub(crate) servers: [SocketAddr; 2],
}

impl Origin {
    pub(crate) fn start(cores: &str, part: &str) -> io::Result<Self> {
        let mut process = Pinned::start(part_on_cores(cores, part)?)?;
        let line = process.line()?;
        let mut ports = line.split_ascii_whitespace().map(str::parse::<u16>);
        let (Some(Ok(first)), Some(Ok(second))) = (ports.next(), ports.next()) else {
            return Err(io::Error::other(format!(
                "{part} said {line:?} for its ports"
            )));
        };
        Ok(Self {
            process,
            servers: [loopback(first), loopback(second)],
        })
    }
}

/// An address that was free a moment ago.
pub(crate) fn free_addr() -> io::Result<SocketAddr> {
    TcpListener::bind(loopback(0))?.local_addr()
}

fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// A directory for this run, removed at its end.
struct Dir(PathBuf);

impl Dir {
    fn new() -> io::Result<Self> {
        let path = env::temp_dir().join(format!("evenkeel-compare-{}", process::id()));
        fs::create_dir(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

//! What the rules of a cell do, and the same in the words of each proxy.
//!
//! `face` has them as a face, `settings` puts them into the configuration files. Rules that refuse
//! never do here: every request passes all of them.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Entries of the map.
const MAPPED: usize = 100_000;

/// The rules of a frontend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rules {
    /// So many conditions on the path, each of which would refuse.
    Conditions(u8),
    /// `/old` is redirected.
    Redirect,
    /// Each client is counted, and refused above a rate.
    Table,
    /// A field from a map of hosts with [`MAPPED`] entries.
    Map,
    /// Responses are compressed.
    Compression(Coding),
}

/// How responses are compressed, with the level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    Gzip(u8),
    Br(u8),
    Zstd(u8),
}

/// A part for each place of a configuration file.
#[derive(Default)]
pub(crate) struct Parts {
    /// Beside the frontend.
    pub(crate) outside: String,
    /// In the frontend.
    pub(crate) inside: String,
    /// In nginx's `location` that passes requests on.
    pub(crate) location: String,
}

impl Rules {
    pub(crate) fn of_evenkeel(self, dir: &Path) -> Parts {
        let mut parts = Parts::default();
        match self {
            Self::Conditions(0) => {}
            Self::Conditions(count) => {
                let rules = (1..=count).fold(String::new(), |mut rules, number| {
                    let _ = writeln!(
                        rules,
                        "  {{ when = 'path starts_with \"/blocked-{number}/\"', deny = 403 }},"
                    );
                    rules
                });
                parts.inside = format!("rule = [\n{rules}]\n");
            }
            Self::Redirect => {
                parts.inside =
                    "rule = [{ when = 'path == \"/old\"', redirect = { location = \"/new\" } }]\n"
                        .to_owned();
            }
            Self::Table => {
                parts.inside =
                    "rule = [\n  { track = { table = \"clients\", key = \"src\" } },\n  \
                     { when = 'sc_http_req_rate(0) > 1000000000', deny = 429 },\n]\n"
                        .to_owned();
                parts.outside =
                    "\n[table.clients]\nkey = \"ip\"\nsize = 100000\nexpire = \"10m\"\n\
                     store = [\"http_req_rate(10s)\"]\n"
                        .to_owned();
            }
            Self::Map => {
                parts.inside = format!(
                    "rule = [{{ set_header = {{ x-tenant = \"%[req.hdr(host),map({},none)]\" }} }}]\n",
                    map_file(dir).display()
                );
            }
            Self::Compression(coding) => {
                let (name, level) = coding.name_and_level();
                parts.inside = format!(
                    "compression = {{ algorithms = [\"{name}\"], types = [\"application/json\"], \
                     {name}_level = {level} }}\n"
                );
            }
        }
        parts
    }

    pub(crate) fn of_haproxy(self, dir: &Path) -> Parts {
        let mut parts = Parts::default();
        match self {
            Self::Conditions(count) => {
                for number in 1..=count {
                    let _ = writeln!(
                        parts.inside,
                        "    http-request deny if {{ path_beg /blocked-{number}/ }}"
                    );
                }
            }
            Self::Redirect => {
                parts.inside =
                    "    http-request redirect location /new if { path /old }\n".to_owned();
            }
            Self::Table => {
                parts.inside =
                    "    stick-table type ip size 100k expire 10m store http_req_rate(10s)
    http-request track-sc0 src
    http-request deny deny_status 429 if { sc_http_req_rate(0) gt 1000000000 }\n"
                        .to_owned();
            }
            Self::Map => {
                parts.inside = format!(
                    "    http-request set-header X-Tenant %[req.hdr(host),map({},none)]\n",
                    map_file(dir).display()
                );
            }
            // Debian's build compresses by libslz, which has one level.
            Self::Compression(_) => {
                parts.inside =
                    "    compression algo gzip\n    compression type application/json\n".to_owned();
            }
        }
        parts
    }

    /// `outside` is in the block `http`, `inside` in the block `server`.
    pub(crate) fn of_nginx(self, dir: &Path) -> Parts {
        let mut parts = Parts::default();
        match self {
            Self::Conditions(count) => {
                for number in 1..=count {
                    let _ = writeln!(
                        parts.inside,
                        "        location ^~ /blocked-{number}/ {{ return 403; }}"
                    );
                }
            }
            Self::Redirect => {
                parts.inside = "        location = /old { return 302 /new; }\n".to_owned();
            }
            Self::Table => {
                parts.outside =
                    "    limit_req_zone $binary_remote_addr zone=clients:10m rate=1000000r/s;\n"
                        .to_owned();
                parts.inside = "        limit_req zone=clients burst=1000000 nodelay;\n        \
                     limit_req_status 429;\n"
                    .to_owned();
            }
            Self::Map => {
                parts.outside = format!(
                    "    map_hash_max_size 262144;\n    map_hash_bucket_size 128;\n    \
                     map $http_host $tenant {{ default none; include {}; }}\n",
                    nginx_map_file(dir).display()
                );
                parts.location = "            proxy_set_header X-Tenant $tenant;\n".to_owned();
            }
            Self::Compression(coding) => {
                let (_, level) = coding.name_and_level();
                parts.inside = format!(
                    "        gzip on;\n        gzip_proxied any;\n        gzip_types application/json;\n        \
                     gzip_comp_level {level};\n        gzip_http_version 1.1;\n"
                );
            }
        }
        parts
    }
}

impl Coding {
    fn name_and_level(self) -> (&'static str, u8) {
        match self {
            Self::Gzip(level) => ("gzip", level),
            Self::Br(level) => ("br", level),
            Self::Zstd(level) => ("zstd", level),
        }
    }
}

fn map_file(dir: &Path) -> PathBuf {
    dir.join("hosts.map")
}

fn nginx_map_file(dir: &Path) -> PathBuf {
    dir.join("hosts.nginx.map")
}

/// Writes the map of hosts, for HAProxy and Evenkeel, and for nginx.
pub(crate) fn write_maps(dir: &Path) -> io::Result<()> {
    let mut map = BufWriter::new(File::create(map_file(dir))?);
    let mut nginx_map = BufWriter::new(File::create(nginx_map_file(dir))?);
    for number in 0..MAPPED {
        writeln!(map, "host-{number}.bench.test tenant-{number}")?;
        writeln!(nginx_map, "host-{number}.bench.test tenant-{number};")?;
    }
    // The host of every request.
    writeln!(map, "bench.test tenant-of-the-bench")?;
    writeln!(nginx_map, "bench.test tenant-of-the-bench;")?;
    map.flush()?;
    nginx_map.flush()
}

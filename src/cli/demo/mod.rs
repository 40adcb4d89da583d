//! `evenkeel demo`: the proxy before three app servers of its own, to see it work without a file.
//!
//! It runs as with `evenkeel run`, except that its configuration is made here. `words` has its
//! texts, `app` and `answer` are the app servers.

mod answer;
mod app;
mod words;

use std::future::pending;
use std::io::{self, ErrorKind, Write};
use std::net::SocketAddr;
use std::process::ExitCode;

use crate::base::FileMode;
use crate::base::InWords;
use crate::base::tasks::{self, LocalSet};
use crate::config::{self, Color};
use crate::control::{CannotStart, Source};
use crate::net::Network;
use crate::observe::logging::{self, LoggingHandle};
use crate::plan::{LogFormat, LogLevel};
use crate::process::{Convention, Ending, Proxy, Signals, Start};

use super::DemoArguments;
use super::run::ended;
use app::App;
use words::Addresses;

/// The frontend of the configuration that `words` has.
const FRONTEND: &str = "web";

const APPS: [&str; 3] = ["app-1", "app-2", "app-3"];

/// Runs the demo until a signal ends it.
pub(super) fn demo(arguments: &DemoArguments) -> ExitCode {
    ended(play(arguments))
}

fn play(arguments: &DemoArguments) -> Result<Ending, CannotStart> {
    let runtime = tasks::runtime().map_err(no_system)?;
    let network = Network::System;
    runtime.block_on(see_if_free(arguments, &network))?;
    let apps = runtime.block_on(bind_apps(&network)).map_err(no_system)?;
    let mut addresses = Addresses {
        listen: arguments.listen,
        admin: arguments.admin,
        apps: apps
            .iter()
            .map(|app| (app.name().to_owned(), app.address()))
            .collect(),
    };
    // Only warnings until the guide is printed, which says the rest.
    let logging = logging::start(LogLevel::Warn, LogFormat::Human).ok();
    let signals = Signals::catch(Convention::Ours).map_err(no_system)?;
    let proxy = start(words::configuration(&addresses))?;
    runtime.block_on(async {
        // Port 0 has become another.
        if let Some(&listen) = proxy.addresses(FRONTEND).await.first() {
            addresses.listen = listen;
        }
        if let Some(admin) = proxy.admin_address().await {
            addresses.admin = admin;
        }
    });
    say(&words::guide(&addresses), logging.as_ref());
    // Only now are the first health checks answered, so that their events come after the guide.
    Ok(signals.run(proxy, serve(apps)))
}

/// Reports each address that cannot be bound, with the flag that changes it.
async fn see_if_free(arguments: &DemoArguments, network: &Network) -> Result<(), CannotStart> {
    let mut faults = Vec::new();
    for (flag, address) in [("--listen", arguments.listen), ("--admin", arguments.admin)] {
        if let Err(error) = network
            .bind(&address.into(), FileMode::default(), 1, &[])
            .await
        {
            faults.push(cannot_listen(flag, address, &error));
        }
    }
    if faults.is_empty() {
        Ok(())
    } else {
        Err(CannotStart(faults.join("\n")))
    }
}

fn cannot_listen(flag: &str, address: SocketAddr, error: &io::Error) -> String {
    if error.kind() == ErrorKind::AddrInUse {
        let free = SocketAddr::new(address.ip(), 0);
        return format!(
            "{address} is taken: another process listens there; `{flag} {free}` takes a free port"
        );
    }
    format!(
        "cannot listen on {address}: {}; `{flag}` takes another address",
        InWords(error)
    )
}

async fn bind_apps(network: &Network) -> io::Result<Vec<App>> {
    let mut apps = Vec::new();
    for name in APPS {
        apps.push(App::bind(name, network).await?);
    }
    Ok(apps)
}

fn start(text: String) -> Result<Proxy, CannotStart> {
    let name = "the demo's configuration".to_owned();
    let loaded = config::load_text(&name, &text)
        .map_err(|diagnostics| CannotStart(diagnostics.render(Color::Never)))?;
    Proxy::start(Start {
        network: Network::System,
        source: Source::Text { name, text },
        loaded,
        // The demo has its own logging: that of the proxy would log everything from its start on.
        logging: None,
    })
}

fn say(guide: &str, logging: Option<&LoggingHandle>) {
    // If it cannot be written, the demo runs all the same.
    let _ = io::stdout().write_all(guide.as_bytes());
    let _ = io::stdout().flush();
    if let Some(logging) = logging {
        logging.set_level(LogLevel::Info);
    }
}

/// Runs the app servers; never ends.
async fn serve(apps: Vec<App>) {
    let serving = async {
        for app in apps {
            tasks::spawn_local(app.run());
        }
        pending().await
    };
    LocalSet::new().run_until(serving).await
}

fn no_system(error: io::Error) -> CannotStart {
    CannotStart(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_that_is_taken_is_named_with_its_flag() {
        let runtime = tasks::runtime().expect("a runtime");
        runtime.block_on(async {
            let network = Network::System;
            let app = App::bind("app-1", &network).await.expect("a free port");
            let arguments = DemoArguments {
                listen: app.address(),
                admin: app.address(),
            };
            let refused = see_if_free(&arguments, &network).await;
            let CannotStart(text) = refused.expect_err("it is taken");
            let address = app.address();
            assert_eq!(
                text,
                format!(
                    "{address} is taken: another process listens there; `--listen 127.0.0.1:0` takes a free port\n\
                     {address} is taken: another process listens there; `--admin 127.0.0.1:0` takes a free port"
                )
            );
        });
    }
}

//! The peers: authorization servers from other languages' registries, in the versions that
//! the tests work with.

use std::{
    error::Error,
    path::{Path, PathBuf},
    process::Command,
};

use grantor_testkit::foreign::servers;

use crate::{contestant::Installed, settings::Settings};

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers");

/// Where the peers are installed.
pub struct Peers {
    python: PathBuf,
    node_packages: PathBuf,
}

impl Peers {
    /// Installs what is not installed yet.
    pub fn install() -> Result<Self, Box<dyn Error>> {
        let remedy = |problem| {
            format!(
                "the peers cannot be installed (leave them out with --without-peers): {problem}"
            )
        };
        let python = servers::interpreter().map_err(remedy)?;
        let node_packages = servers::node_packages(&python).map_err(remedy)?;
        Ok(Self {
            python,
            node_packages,
        })
    }

    /// Authlib in Flask under gunicorn, 2 workers.
    pub fn authlib(&self, settings: &Settings, file: &Path) -> Installed {
        let mut command = Command::new(&self.python);
        // Threads keep connections alive, which workers without do not.
        let workers = [
            "--workers",
            "2",
            "--worker-class",
            "gthread",
            "--threads",
            "8",
            "--keep-alive",
            "75",
            "--preload",
        ];
        command.args([
            "-B",
            "-m",
            "gunicorn",
            "--bind",
            &settings.address().to_string(),
            "--log-level",
            "warning",
        ]);
        command
            .args(workers)
            .args(["--chdir", SCRIPTS, "authlib_wsgi:app"])
            .env("SETTINGS", file);
        Installed {
            command,
            input: String::new(),
        }
    }

    /// node-oidc-provider, a cluster of 2.
    pub fn oidc_provider(&self, settings: &Settings) -> Result<Installed, Box<dyn Error>> {
        let mut command = Command::new(self.python.with_file_name("node"));
        command.arg(Path::new(SCRIPTS).join("oidc_provider_cluster.js"));
        command
            .current_dir(&self.node_packages)
            .env("NODE_ENV", "production");
        Ok(Installed {
            command,
            input: serde_json::to_string(settings)?,
        })
    }
}

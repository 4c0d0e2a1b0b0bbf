//! The key files of clients whose secrets are made: they are where they are meant to be before
//! anything is registered, so that no client is registered whose secret is lost (M074).

use std::{
    fmt::Display,
    fs::{self, DirBuilder},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use grantor::{
    admin::{Action, Error, Kind, Plan, Registrations, Step},
    credential::KeyFile,
    types::ClientId,
};
use serde_json::{Value, json};

use crate::cli::{Failure, client::key_file_name};

/// The files that were written, each with its client.
#[derive(Default)]
pub struct SecretFiles(Vec<(ClientId, PathBuf)>);

impl SecretFiles {
    /// Whether there is a directory for those that a plan will make.
    ///
    /// # Errors
    /// Without one where a secret is made, or where it cannot be had.
    pub fn check(
        resources: &Registrations,
        plan: &Plan,
        directory: Option<&Path>,
    ) -> Result<(), Failure> {
        let is_new = |id: &str| {
            let step = |step: &&Step| step.resource == Kind::Client && step.name == id;
            let step = plan.steps.iter().find(step);
            step.is_some_and(|step| step.action != Action::Same)
        };
        let makes = |client: &&Value| {
            client.get("secret").is_some() && client["client_id"].as_str().is_some_and(is_new)
        };
        match resources.of(Kind::Client).iter().find(makes) {
            Some(client) => {
                let id = client["client_id"].as_str().unwrap_or_default();
                let directory = made_directory(directory, id)?;
                check_free(directory, resources.of(Kind::Client).iter().filter(makes))
            }
            None => Ok(()),
        }
    }

    /// Writes them into a directory, which is made if it is not there.
    ///
    /// # Errors
    /// Without a directory where there is one to write, and where one cannot be written: then none
    /// is left.
    pub fn write(key_files: &[KeyFile], directory: Option<&Path>) -> Result<Self, Failure> {
        let mut written = Self::default();
        let Some(first) = key_files.first() else {
            return Ok(written);
        };
        let directory = made_directory(directory, &first.client_id)?;
        for file in key_files {
            let path = directory.join(key_file_name(&file.client_id));
            if let Err(error) = file.write_new(&path) {
                written.remove();
                return Err(wrong(&error));
            }
            written.0.push((file.client_id.clone(), path));
        }
        Ok(written)
    }

    /// Takes them back if it is certain that nothing was registered, and keeps them otherwise.
    pub fn take_back(self, error: Error) -> Failure {
        let is_certain = error.is_certain();
        let failure = Failure::from(error);
        match is_certain {
            _ if self.is_empty() => failure,
            true => {
                self.remove();
                failure
            }
            false => failure.and(
                "whether the secrets were registered is not certain, so their key files were kept: `grantor client show` tells",
            ),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each client with its file.
    pub fn iter(&self) -> impl Iterator<Item = (&ClientId, &Path)> {
        self.0.iter().map(|(client, path)| (client, &**path))
    }

    /// As JSON.
    pub fn shown(&self) -> Value {
        let one = |(client, path)| json!({"client_id": client, "path": path});
        self.iter().map(one).collect()
    }

    fn remove(&self) {
        for (_, path) in &self.0 {
            // What is in it opens nothing.
            if let Err(error) = fs::remove_file(path) {
                tracing::warn!(path = %path.display(), %error, "a worthless key file was not removed");
            }
        }
    }
}

/// No file is in the way of those that are to be written.
fn check_free<'a>(
    directory: &Path,
    clients: impl Iterator<Item = &'a Value>,
) -> Result<(), Failure> {
    for client in clients {
        let id = client["client_id"].as_str().unwrap_or_default();
        let path = ClientId::parse(id).map(|id| directory.join(key_file_name(&id)));
        if let Ok(path) = path
            && path.exists()
        {
            return Err(wrong(&format_args!("{} exists already", path.display())));
        }
    }
    Ok(())
}

/// The directory, which is made if it is not there.
fn made_directory(directory: Option<&Path>, client: impl Display) -> Result<&Path, Failure> {
    let directory = directory.ok_or_else(|| {
        Failure::usage(format!(
            "a secret is made for client {client}: say where its key file goes, with --secrets-out DIR; nothing was changed"
        ))
    })?;
    let made = DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory);
    made.map_err(|error| wrong(&format_args!("{}: {error}", directory.display())))?;
    Ok(directory)
}

fn wrong(problem: &dyn Display) -> Failure {
    Failure::usage(format!("--secrets-out: {problem}; nothing was changed"))
}

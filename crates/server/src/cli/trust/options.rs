//! The options of templates: flags of `trust create` that data declares.

use std::{collections::BTreeMap, sync::LazyLock};

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use grantor::admin::{Template, TemplateOption, TemplateOptions, Templates};

use crate::cli::Failure;

/// An option of one or several templates.
struct Flag {
    id: String,
    option: &'static TemplateOption,
    templates: Vec<&'static str>,
}

/// The options of all templates, by name. One name is either a flag without a value in all
/// templates, or an option with one: a test holds them to it.
static FLAGS: LazyLock<BTreeMap<&'static str, Flag>> = LazyLock::new(|| {
    let mut flags: BTreeMap<&'static str, Flag> = BTreeMap::new();
    for template in Templates::all() {
        for option in &template.options {
            let flag = flags.entry(&option.name).or_insert_with(|| Flag {
                id: format!("option of templates: {}", option.name),
                option,
                templates: Vec::new(),
            });
            flag.templates.push(&template.name);
        }
    }
    flags
});

/// The options that were named, of whichever template.
#[derive(Clone, Debug, Default)]
pub struct Options(BTreeMap<&'static str, String>);

impl Args for Options {
    fn augment_args(command: Command) -> Command {
        FLAGS.values().fold(command, |command, flag| {
            let Flag {
                id,
                option,
                templates,
            } = flag;
            let of = match &templates[..] {
                [only] => format!("Of template {only}"),
                many => format!("Of templates {}", many.join(", ")),
            };
            let arg = Arg::new(id.as_str())
                .long(option.name.as_str())
                .help(format!("{of}: {}", option.what))
                .help_heading("Options of templates")
                .hide(true)
                .requires("template");
            command.arg(match option.is_flag {
                true => arg.action(ArgAction::SetTrue),
                false => arg
                    .action(ArgAction::Set)
                    .value_name("VALUE")
                    .allow_hyphen_values(true),
            })
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Options {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut options = Self::default();
        options.update_from_arg_matches(matches)?;
        Ok(options)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for (name, flag) in FLAGS.iter() {
            let value = match flag.option.is_flag {
                true => matches.get_flag(&flag.id).then(String::new),
                false => matches.get_one::<String>(&flag.id).cloned(),
            };
            self.0.extend(value.map(|value| (*name, value)));
        }
        Ok(())
    }
}

impl Options {
    /// One that was named.
    pub fn any(&self) -> Option<&'static str> {
        self.0.keys().next().copied()
    }

    /// What was named, for this template.
    pub fn of(&self, template: &Template) -> Result<TemplateOptions, Failure> {
        let is_known = |name: &&&str| template.options.iter().any(|option| option.name == **name);
        let unknown: Vec<_> = self.0.keys().filter(|name| !is_known(name)).collect();
        if !unknown.is_empty() {
            let unknown = unknown.iter().map(|name| nearest(name, template));
            let unknown: Vec<_> = unknown.collect();
            return Err(Failure::usage(format!(
                "{}; see: grantor template show {}",
                unknown.join("; "),
                template.name
            )));
        }
        let named = self.0.iter();
        Ok(named
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect())
    }
}

/// That a template has not this option, and which one is perhaps meant.
fn nearest(name: &str, template: &Template) -> String {
    let near = template.options.iter().map(|option| &*option.name);
    let near = near
        .map(|known| (strsim::jaro_winkler(known, name), known))
        .filter(|(similar, _)| *similar > 0.8)
        .max_by(|one, other| one.0.total_cmp(&other.0));
    let meant = near.map_or_else(String::new, |(_, known)| {
        format!(" (did you mean --{known}?)")
    });
    format!("--{name} is no option of template {}{meant}", template.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_of_several_templates_is_the_same_kind_of_flag_in_each() {
        for template in Templates::all() {
            for option in &template.options {
                let flag = &FLAGS[&*option.name];
                assert_eq!(
                    flag.option.is_flag, option.is_flag,
                    "--{} of {} and {:?}",
                    option.name, template.name, flag.templates
                );
            }
        }
    }
}

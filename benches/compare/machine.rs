//! Where and with what the numbers were made.

use std::process::Command;

use testkit::sandbox::Sandbox;

use crate::options::Options;
use crate::tools::Tool;

/// Lines of `name: value`.
pub(crate) fn facts(tools: &[Tool], absent: &[Tool], options: &Options) -> Vec<(String, String)> {
    let cores = std::thread::available_parallelism().map_or_else(|_| "?".to_owned(), |cores| cores.to_string());
    let processor = line_of("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let memory = line_of("/proc/meminfo", "MemTotal").and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
    let memory = memory.map_or_else(|| "?".to_owned(), |kib| format!("{:.1} GB", kib as f64 * 1024.0 / 1e9));
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let sandbox = Sandbox::new();
    let mut facts = vec![
        ("Date".to_owned(), output_of("date", &["-u", "+%Y-%m-%d %H:%M UTC"])),
        ("Machine".to_owned(), format!("{cores} cores ({processor}), {memory}, Linux {}", kernel.trim())),
        ("Command".to_owned(), format!("cargo bench --bench compare -- {}", options.typed).trim_end().to_owned()),
        ("Commit".to_owned(), output_of("git", &["describe", "--always", "--dirty", "--abbrev=12"])),
        ("docker-registry".to_owned(), output_of("docker-registry", &["--version"])),
    ];
    facts.extend(tools.iter().map(|tool| (tool.name.to_owned(), tool.version(&sandbox).unwrap_or_default())));
    if !absent.is_empty() {
        let names: Vec<&str> = absent.iter().map(|tool| tool.name).collect();
        facts.push(("Not on this machine".to_owned(), names.join(", ")));
    }
    facts.extend(options.env.iter().map(|(key, value)| ("Environment".to_owned(), format!("{key}={value}"))));
    facts
}

/// The value of a `name: value` line of a file of the kernel's.
fn line_of(file: &str, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    let (_, value) = text.lines().find(|line| line.starts_with(name))?.split_once(':')?;
    Some(value.trim().to_owned())
}

fn output_of(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.ok().filter(|text| !text.is_empty()).unwrap_or_else(|| "unknown".to_owned())
}

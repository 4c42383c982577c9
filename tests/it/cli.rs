//! The program as a person runs it: what it prints, where, and its exit code.

use std::{
    io::Write,
    path::Path,
    process::{Command, Output, Stdio},
};

use rondo::model::user::{Role, UserDraft};
use tempfile::TempDir;

use crate::world::World;

struct Shell {
    dir: TempDir,
    environment: Vec<(String, String)>,
}

struct Ended {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Shell {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let data = dir.path().join("data").display().to_string();
        Self { dir, environment: vec![("RONDO_DATA_DIR".into(), data), ("RONDO_LISTEN".into(), "127.0.0.1:0".into())] }
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.into(), value.into()));
        self
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rondo"));
        command.args(arguments).current_dir(self.dir.path()).env_clear().envs(self.environment.iter().cloned());
        command.stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        ended(self.command(arguments).output().expect("the program starts"))
    }

    fn run_with(&self, arguments: &[&str], input: &str) -> Ended {
        let mut command = self.command(arguments);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("it reads");
        ended(child.wait_with_output().expect("it ends"))
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.dir.path().join(name);
        std::fs::write(&path, text).expect("writable");
        path.display().to_string()
    }

    /// A command that must fail with exit code 1 and one line, which is returned.
    fn refused(&self, arguments: &[&str]) -> String {
        let ended = self.run(arguments);
        assert_eq!((ended.code, ended.out.as_str()), (Some(1), ""), "{}", ended.err);
        assert_eq!(ended.err.lines().count(), 1, "{}", ended.err);
        assert!(!ended.err.contains("panicked"), "{}", ended.err);
        ended.err
    }
}

fn ended(output: Output) -> Ended {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Ended { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

const FILE: &str = "providers: [{ name: alpha, base_url: 'https://a.example.com', credentials: [{ label: main, secret_env: ALPHA_KEY }] }]\n\
                    groups: [{ name: Production, slug: prod, providers: [{ provider: alpha }] }]\n";

#[test]
fn a_file_is_applied_from_the_command_line_and_a_key_is_printed_alone() {
    let shell = Shell::new().with("ALPHA_KEY", "sk-canary-0123456789");
    let file = shell.file("rondo.yaml", FILE);
    let dry = shell.run(&["apply", "-f", &file, "--dry-run"]);
    assert_eq!(dry.code, Some(0), "{}", dry.err);
    assert!(
        dry.out.ends_with("2 created, 0 changed, 0 deleted, 0 unchanged; nothing was written (dry run)\n"),
        "{}",
        dry.out
    );
    let applied = shell.run(&["apply", "-f", &file]);
    assert_eq!(
        applied.out, "+ provider alpha\n+ group prod\n2 created, 0 changed, 0 deleted, 0 unchanged; revision 1\n",
        "{}",
        applied.err
    );
    let exported = shell.run(&["export"]).out;
    assert!(exported.contains("name: alpha") && !exported.contains("canary"), "{exported}");
    let again = shell.run_with(&["apply", "-f", "-"], &exported);
    assert!(
        again.out.ends_with("0 created, 0 changed, 0 deleted, 6 unchanged; nothing to do\n"),
        "with the rules every gateway begins with: {} {}",
        again.out,
        again.err
    );
    let key = shell.run(&["key", "create", "--name", "ci", "--group", "prod", "--rpm", "600"]);
    assert_eq!((key.code, key.err.as_str(), key.out.lines().count()), (Some(0), "", 1));
    assert!(key.out.starts_with("rd_"), "{}", key.out);
    assert!(shell.refused(&["key", "create", "--name", "ci"]).contains("name: is already taken"));
    assert!(
        shell.refused(&["key", "create", "--name", "x", "--group", "nope"]).contains("no group with the slug nope")
    );
}

#[test]
fn a_user_gets_a_generated_password_or_one_from_standard_input() {
    let shell = Shell::new();
    let made = shell.run(&["user", "create", "ana"]);
    assert_eq!(made.code, Some(0), "{}", made.err);
    assert_eq!(made.out.trim().len(), 20, "the password alone on standard output: {}", made.out);
    let given =
        shell.run_with(&["user", "create", "ben", "--role", "viewer", "--password-stdin"], "a long enough phrase\n");
    assert_eq!((given.code, given.out.as_str()), (Some(0), ""), "{}", given.err);
    let weak = shell.run_with(&["user", "create", "eve", "--password-stdin"], "short\n");
    assert_eq!((weak.code, weak.err.as_str()), (Some(1), "rondo: password: needs at least 10 characters\n"));
    let reset = shell.run(&["user", "reset-password", "ANA"]);
    assert_eq!((reset.code, reset.out.trim().len()), (Some(0), 20), "{}", reset.err);
    assert!(shell.refused(&["user", "reset-password", "nobody"]).contains("there is no user nobody"));
    assert!(shell.refused(&["user", "create", "ana"]).contains("username: is already taken"));
    let listed = shell.run(&["user", "list"]).out;
    assert_eq!(
        listed.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).collect::<Vec<_>>(),
        [["ana", "owner"], ["ben", "viewer"]]
    );
    let token = shell.run(&["token", "create", "--user", "ana", "--name", "ci"]);
    assert!(token.out.starts_with("rdadm_") && token.out.lines().count() == 1, "{}", token.err);
}

#[test]
fn a_wrong_command_line_is_exit_code_2_and_help_is_0() {
    let shell = Shell::new();
    for wrong in [&["fly"][..], &["key", "create"], &["serve", "--lissten", "x"], &["apply"]] {
        let ended = shell.run(wrong);
        assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""), "{wrong:?}");
    }
    let help = shell.run(&["serve", "--help"]);
    assert_eq!(help.code, Some(0));
    for setting in rondo::server::config::table::SETTINGS {
        assert!(help.out.contains(setting.name), "{} is in the help", setting.name);
    }
    assert!(!shell.run(&["--help"]).out.contains("RONDO_LISTEN"), "the flags are told in the help of serve");
    assert!(shell.run(&["--version"]).out.starts_with("rondo "));
}

#[test]
fn a_wrong_setting_stops_the_start_with_one_line_that_names_it() {
    for (name, value, told) in [
        ("RONDO_LISTEN", "everywhere", "RONDO_LISTEN: \"everywhere\" is not an address and port"),
        ("DATABASE_URL", "mysql://root:hunter2@db/x", "DATABASE_URL: its value (not shown) is not a database address"),
        ("REDIS_URL", "http://x", "REDIS_URL: its value (not shown) is not a Redis address"),
        ("RONDO_CONFIG", "/nowhere/rondo.toml", "/nowhere/rondo.toml: cannot be read"),
    ] {
        let line = Shell::new().with(name, value).refused(&["serve"]);
        assert!(line.starts_with(&format!("rondo: {told}")), "{line}");
        assert!(!line.contains("hunter2"));
    }
    for (name, value, told) in [
        ("ENCRYPTION_KEY", "short", "ENCRYPTION_KEY: the encryption key must be 32 bytes"),
        ("ENCRYPTION_KEY_FILE", "/nowhere/key", "the key file /nowhere/key does not exist"),
    ] {
        let line = Shell::new().with(name, value).refused(&["serve"]);
        assert!(line.starts_with(&format!("rondo: {told}")), "{line}");
    }
    let shell = Shell::new();
    shell.file("rondo.toml", "listen = \"127.0.0.1:0\"\nlissten = 1\n");
    assert!(shell.refused(&["serve"]).contains("rondo.toml line 2: unknown setting `lissten`"));
}

#[test]
fn the_wrong_master_key_is_found_out_before_anything_is_touched() {
    let shell = Shell::new().with("ALPHA_KEY", "sk-1234567890").with("ENCRYPTION_KEY", &"a1".repeat(32));
    let file = shell.file("rondo.yaml", FILE);
    assert_eq!(shell.run(&["apply", "-f", &file]).code, Some(0));
    let shell = shell.with("ENCRYPTION_KEY", &"b2".repeat(32));
    let line = shell.refused(&["serve"]);
    assert!(
        line.contains("is not the one the stored credentials were sealed with") && line.contains("ENCRYPTION_KEY"),
        "{line}"
    );
    let shell = shell.with("ENCRYPTION_KEY", &"a1".repeat(32));
    assert_eq!(shell.run(&["export"]).code, Some(0), "the right key still works");
}

#[test]
fn a_data_directory_that_cannot_be_used_is_named() {
    let shell = Shell::new();
    let blocked = shell.file("not-a-directory", "");
    let inside = Path::new(&blocked).join("data").display().to_string();
    let line = shell.with("RONDO_DATA_DIR", &inside).refused(&["export"]);
    assert!(line.contains("the data directory") && line.contains("RONDO_DATA_DIR"), "{line}");
}

#[test]
fn a_database_that_is_none_is_left_alone() {
    let shell = Shell::new();
    let path = shell.file("notes.txt", &"this is not a database\n".repeat(100));
    let shell = shell.with("DATABASE_URL", &format!("sqlite:{path}"));
    let line = shell.refused(&["export"]);
    assert!(line.contains("is not a database"), "{line}");
    assert!(std::fs::read_to_string(&path).expect("still there").starts_with("this is not"));
}

#[test]
fn a_malformed_file_is_told_with_its_line_and_changes_nothing() {
    let shell = Shell::new();
    let before = shell.run(&["export"]).out;
    for (text, told) in [
        ("providers:\n  - name: a\n    base_ulr: https://a\n", "line 3"),
        ("providers: [\n", "line"),
        ("- just\n- a list\n", "line 1"),
        ("providers:\n  - name: a\n    base_url: nonsense\n", "line 2, provider a, base_url: is not a usable address"),
    ] {
        let file = shell.file("bad.yaml", text);
        let line = shell.refused(&["apply", "-f", &file]);
        assert!(line.contains(told), "{line}");
    }
    assert!(shell.refused(&["apply", "-f", "nowhere.yaml"]).contains("nowhere.yaml: cannot be read"));
    assert_eq!(shell.run(&["export"]).out, before);
}

#[test]
fn the_database_says_what_was_applied() {
    let shell = Shell::new();
    assert!(shell.run(&["db", "status"]).out.contains("pending"));
    assert!(shell.run(&["db", "migrate"]).out.contains("applied"));
    assert_eq!(shell.run(&["db", "migrate"]).out, "the database is up to date\n");
    assert!(!shell.run(&["db", "status"]).out.contains("pending"));
}

#[test]
fn settings_tell_their_origin_and_no_secret() {
    let shell = Shell::new().with("DATABASE_URL", "sqlite:/tmp/hunter2.db");
    let told = shell.run(&["settings", "--default-rpm", "7"]).out;
    assert!(told.contains("RONDO_DEFAULT_RPM = 7  # command line"), "{told}");
    assert!(told.contains("DATABASE_URL = (not shown)  # environment") && !told.contains("hunter2"), "{told}");
}

#[test]
fn a_port_in_use_is_named_with_the_remedy() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("bound").to_string();
    let line = Shell::new().with("RONDO_LISTEN", &address).refused(&["serve"]);
    assert!(line.starts_with(&format!("rondo: RONDO_LISTEN: {address} cannot be listened on")), "{line}");
}

#[test]
fn a_health_check_of_nothing_fails_in_one_line() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("bound");
    let line = Shell::new().with("RONDO_LISTEN", &free.to_string()).refused(&["healthcheck"]);
    assert!(line.contains(&free.to_string()), "{line}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drill_is_started_watched_and_stopped_from_the_command_line() {
    let world = World::start(
        FILE.split('\n').next().unwrap_or_default().replace("secret_env: ALPHA_KEY", "secret: sk-1").as_str(),
    )
    .await;
    let draft = UserDraft {
        username: "ana".into(),
        display_name: String::new(),
        password: "correct horse battery".into(),
        role: Role::Operator,
    };
    let ana = world.admin.users().create(&world.who, draft).await.expect("a person").id;
    let (_, token) = world.admin.tokens().create(&world.who, ana, "drills", None).await.expect("a token");
    let url = format!("http://{}", world.address);
    let shell = Shell::new().with("RONDO_ADMIN_TOKEN", &token);
    let run = |arguments: &[&str]| {
        let all = [&["drill"], arguments, &["--url", &url]].concat();
        tokio::task::block_in_place(|| shell.run(&all))
    };
    let started = run(&["start", "alpha", "--fault", "429", "--minutes", "3", "--percent", "50"]);
    assert_eq!(started.out, "drill runs: 429 on 50% of attempts for 3 min, by ana\n", "{}", started.err);
    let again = run(&["start", "alpha"]);
    assert_eq!(
        (again.code, again.err.as_str()),
        (Some(1), "rondo: provider: is in a drill already; stop that one first\n")
    );
    let stopped = run(&["stop", "alpha"]);
    assert!(
        stopped.out.starts_with("drill was stopped: 429") && stopped.out.contains("met the fault"),
        "{}",
        stopped.out
    );
    assert_eq!(run(&["report", "alpha"]).out, stopped.out);
    assert_eq!(run(&["stop", "alpha"]).err, "rondo: drill not found\n");
    assert_eq!(run(&["report", "beta"]).err, "rondo: there is no provider beta\n");
    let wrong = run(&["report", "alpha", "--token", "rdadm_wrong"]);
    assert!(wrong.err.contains("the token is not accepted"), "{}", wrong.err);
    assert_eq!(run(&["start", "alpha", "--fault", "fire"]).code, Some(2));
    let nobody = Shell::new().refused(&["drill", "report", "alpha", "--url", &url]);
    assert!(nobody.contains("set RONDO_ADMIN_TOKEN"), "{nobody}");
    let elsewhere = shell.refused(&["drill", "report", "alpha", "--url", "http://127.0.0.1:9"]);
    assert!(elsewhere.contains("http://127.0.0.1:9 does not answer"), "{elsewhere}");
}

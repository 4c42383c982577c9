//! Every setting there is, once: `rondo serve --help`, `rondo.toml`, the environment and
//! docs/CONFIGURATION.md are all read off this table, so none of them can fall behind.

use std::fmt::Write as _;

/// Where a setting belongs: one area, one file of this module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Area {
    /// The address people and programs use.
    Web,
    /// Where things are kept.
    Storage,
    /// The data plane.
    Gateway,
    /// What is written down.
    Log,
    /// What is told to a collector of OpenTelemetry.
    Telemetry,
}

impl Area {
    /// All areas, in the order they are shown.
    pub const ALL: [Self; 5] = [Self::Web, Self::Storage, Self::Gateway, Self::Log, Self::Telemetry];

    /// Heading in the help and, second, in the Chinese documentation.
    pub fn titles(self) -> (&'static str, &'static str) {
        match self {
            Self::Web => ("Address", "地址"),
            Self::Storage => ("Storage", "存储"),
            Self::Gateway => ("Gateway", "网关"),
            Self::Log => ("Logs", "日志"),
            Self::Telemetry => ("OpenTelemetry (builds with the feature otel)", "OpenTelemetry（以 otel 特性构建）"),
        }
    }
}

/// What holds when nothing is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fallback {
    /// This value, read like any other.
    Value(&'static str),
    /// Something found at start, told in words: English, Chinese.
    Told(&'static str, &'static str),
}

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Name in the environment.
    pub name: &'static str,
    /// Where it belongs.
    pub area: Area,
    /// Placeholder of its value in the help.
    pub value: &'static str,
    /// Without it.
    pub fallback: Fallback,
    /// What it does.
    pub help: &'static str,
    /// What it does, in Chinese.
    pub help_zh: &'static str,
    /// Its value is never printed and it has no flag: a command line is world-readable.
    pub secret: bool,
}

impl Setting {
    /// Name in `rondo.toml`: `RONDO_LISTEN` is `listen`, `DATABASE_URL` is `database_url`.
    pub fn key(&self) -> String {
        self.name.strip_prefix("RONDO_").unwrap_or(self.name).to_ascii_lowercase()
    }

    /// Long flag without its hyphens: `data-dir`; `None` for a secret.
    pub fn flag(&self) -> Option<String> {
        (!self.secret).then(|| self.key().replace('_', "-"))
    }
}

/// The setting of this name.
pub fn find(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

/// The settings of one area.
pub fn of(area: Area) -> impl Iterator<Item = &'static Setting> {
    SETTINGS.iter().filter(move |setting| setting.area == area)
}

/// The table as Markdown, for docs/CONFIGURATION.md and, with `chinese`, docs/zh/CONFIGURATION.md.
pub fn markdown(chinese: bool) -> String {
    let mut text = String::new();
    for area in Area::ALL {
        let (title, title_zh) = area.titles();
        let head = if chinese {
            format!("### {title_zh}\n\n| 变量 | `rondo.toml` | 默认值 | 作用 |\n|---|---|---|---|\n")
        } else {
            format!("### {title}\n\n| Variable | `rondo.toml` | Default | What it does |\n|---|---|---|---|\n")
        };
        text.push_str(&head);
        for setting in of(area) {
            let fallback = match setting.fallback {
                Fallback::Value("") => "–".to_owned(),
                Fallback::Value(value) => format!("`{value}`"),
                Fallback::Told(words, words_zh) => if chinese { words_zh } else { words }.to_owned(),
            };
            let help = if chinese { setting.help_zh } else { setting.help };
            let row = [setting.name, &setting.key()].map(|name| format!("`{name}`")).join(" | ");
            writeln!(text, "| {row} | {fallback} | {help} |").expect("writing to a String cannot fail");
        }
        text.push('\n');
    }
    text
}

/// Every setting.
pub const SETTINGS: &[Setting] = &[
    Setting {
        name: "RONDO_LISTEN",
        area: Area::Web,
        value: "ADDRESS",
        fallback: Fallback::Value("127.0.0.1:3000"),
        help: "Address and port to listen on; 0.0.0.0:3000 accepts other machines",
        help_zh: "监听的地址和端口；0.0.0.0:3000 接受其他机器的连接",
        secret: false,
    },
    Setting {
        name: "RONDO_PUBLIC_URL",
        area: Area::Web,
        value: "URL",
        fallback: Fallback::Told("http:// and the listening address", "http:// 加监听地址"),
        help: "Address people type, such as https://gateway.example.com; with https cookies are marked Secure",
        help_zh: "用户访问的地址，例如 https://gateway.example.com；使用 https 时 Cookie 会带 Secure 标记",
        secret: false,
    },
    Setting {
        name: "RONDO_TRUSTED_PROXIES",
        area: Area::Web,
        value: "RANGES",
        fallback: Fallback::Value(""),
        help: "Proxies in front of Rondo whose X-Forwarded-For is believed: addresses or ranges, separated by commas",
        help_zh: "Rondo 前面的可信代理，采信它们的 X-Forwarded-For：地址或网段，用逗号分隔",
        secret: false,
    },
    Setting {
        name: "RONDO_DRAIN_SECONDS",
        area: Area::Web,
        value: "SECONDS",
        fallback: Fallback::Value("30"),
        help: "How long running requests may finish after a stop was asked for",
        help_zh: "收到停止请求后，进行中的请求最多还能运行多久",
        secret: false,
    },
    Setting {
        name: "RONDO_CONFIG",
        area: Area::Storage,
        value: "FILE",
        fallback: Fallback::Told(
            "rondo.toml in the working directory, if there is one",
            "工作目录中的 rondo.toml（如果有）",
        ),
        help: "File with these settings; the environment wins over it, flags over both",
        help_zh: "包含这些设置的文件；环境变量优先于它，命令行参数优先于两者",
        secret: false,
    },
    Setting {
        name: "RONDO_DATA_DIR",
        area: Area::Storage,
        value: "DIRECTORY",
        fallback: Fallback::Told(
            "./data in a checkout, otherwise the platform's data directory",
            "源码目录中为 ./data，否则为系统约定的数据目录",
        ),
        help: "Directory of the databases and the generated encryption key",
        help_zh: "存放数据库和自动生成的加密密钥的目录",
        secret: false,
    },
    Setting {
        name: "DATABASE_URL",
        area: Area::Storage,
        value: "URL",
        fallback: Fallback::Told("SQLite in the data directory", "数据目录中的 SQLite"),
        help: "sqlite:/path/to/file, or postgres://user:password@host/database",
        help_zh: "sqlite:/path/to/file，或 postgres://user:password@host/database",
        secret: true,
    },
    Setting {
        name: "REDIS_URL",
        area: Area::Storage,
        value: "URL",
        fallback: Fallback::Told("in this process", "在本进程内"),
        help: "redis:// or rediss:// address that several instances share",
        help_zh: "多个实例共享的 redis:// 或 rediss:// 地址",
        secret: true,
    },
    Setting {
        name: "ENCRYPTION_KEY",
        area: Area::Storage,
        value: "KEY",
        fallback: Fallback::Told("made on first start, kept in the data directory", "首次启动时生成，保存在数据目录"),
        help: "Key that seals provider credentials: 32 bytes as base64 or 64 hex digits",
        help_zh: "用于加密提供商凭据的密钥：32 字节，base64 或 64 位十六进制",
        secret: true,
    },
    Setting {
        name: "ENCRYPTION_KEY_FILE",
        area: Area::Storage,
        value: "FILE",
        fallback: Fallback::Told("encryption.key in the data directory", "数据目录中的 encryption.key"),
        help: "File that holds the key instead",
        help_zh: "保存该密钥的文件",
        secret: false,
    },
    Setting {
        name: "RONDO_DEFAULT_RPM",
        area: Area::Gateway,
        value: "NUMBER",
        fallback: Fallback::Value("600"),
        help: "Requests per minute of an API key without a limit of its own; 0 is unlimited",
        help_zh: "没有单独限制的 API 密钥每分钟的请求数；0 表示不限",
        secret: false,
    },
    Setting {
        name: "RONDO_BODY_LIMIT",
        area: Area::Gateway,
        value: "SIZE",
        fallback: Fallback::Value("32MiB"),
        help: "Largest request body",
        help_zh: "请求体的最大大小",
        secret: false,
    },
    Setting {
        name: "RONDO_REPLAY_LIMIT",
        area: Area::Gateway,
        value: "SIZE",
        fallback: Fallback::Value("2MiB"),
        help: "Largest request body kept so that another provider can be tried; at most 32MiB",
        help_zh: "为了能换提供商重试而保留的最大请求体；最多 32MiB",
        secret: false,
    },
    Setting {
        name: "RONDO_REPLAY_BUDGET",
        area: Area::Gateway,
        value: "SIZE",
        fallback: Fallback::Value("256MiB"),
        help: "Memory for all kept request bodies together; beyond it bodies stream and are not replayed",
        help_zh: "所有保留的请求体合计可用的内存；超过后请求体直接流式转发，不再重放",
        secret: false,
    },
    Setting {
        name: "RONDO_MAX_IN_FLIGHT",
        area: Area::Gateway,
        value: "NUMBER",
        fallback: Fallback::Value("10000"),
        help: "Proxied requests at the same time; more are answered 503 at once",
        help_zh: "同时代理的请求数；超出的请求立即返回 503",
        secret: false,
    },
    Setting {
        name: "RONDO_ALLOW_PRIVATE_UPSTREAMS",
        area: Area::Gateway,
        value: "true|false",
        fallback: Fallback::Value("true"),
        help: "Whether providers may be on loopback and private addresses (Ollama, vLLM)",
        help_zh: "提供商是否可以位于本机和内网地址（Ollama、vLLM）",
        secret: false,
    },
    Setting {
        name: "RONDO_TIME_ZONE",
        area: Area::Gateway,
        value: "ZONE",
        fallback: Fallback::Told("the system's", "系统时区"),
        help: "Time zone in which days and months of limits are counted, such as Asia/Shanghai",
        help_zh: "按天和按月的限制所用的时区，例如 Asia/Shanghai",
        secret: false,
    },
    Setting {
        name: "RONDO_LOG",
        area: Area::Log,
        value: "FILTER",
        fallback: Fallback::Value("info"),
        help: "What to log: error, warn, info, debug, trace, or a filter such as rondo=debug,info",
        help_zh: "记录的内容：error、warn、info、debug、trace，或 rondo=debug,info 这样的过滤器",
        secret: false,
    },
    Setting {
        name: "RONDO_LOG_FORMAT",
        area: Area::Log,
        value: "text|json",
        fallback: Fallback::Value("text"),
        help: "Log lines for people or for machines",
        help_zh: "日志行供人阅读（text）或供机器处理（json）",
        secret: false,
    },
    Setting {
        name: "RONDO_REQUEST_LOG_DAYS",
        area: Area::Log,
        value: "DAYS",
        fallback: Fallback::Value("30"),
        help: "Days the request log is kept; 0 writes none, bodies neither, and statistics go on",
        help_zh: "请求日志保留的天数；0 为不写日志与正文，统计照常",
        secret: false,
    },
    Setting {
        name: "RONDO_REQUEST_LOG_SIZE",
        area: Area::Log,
        value: "SIZE",
        fallback: Fallback::Value("2GiB"),
        help: "Size the request log may reach on disk; the oldest segments go first, each a sixteenth of it",
        help_zh: "请求日志在磁盘上允许的大小；最旧的分段先删除，每段为其十六分之一",
        secret: false,
    },
    Setting {
        name: "RONDO_BODY_LOG_LIMIT",
        area: Area::Log,
        value: "SIZE",
        fallback: Fallback::Value("64KiB"),
        help: "Beginning of each body that is kept, where a group or an API key asks for bodies; at most 4MiB",
        help_zh: "分组或 API 密钥要求保留正文时，每个正文开头保留的大小；最多 4MiB",
        secret: false,
    },
    Setting {
        name: "RONDO_BODY_LOG_DAYS",
        area: Area::Log,
        value: "DAYS",
        fallback: Fallback::Value("7"),
        help: "Days bodies are kept",
        help_zh: "正文保留的天数",
        secret: false,
    },
    Setting {
        name: "RONDO_BODY_LOG_SIZE",
        area: Area::Log,
        value: "SIZE",
        fallback: Fallback::Value("1GiB"),
        help: "Size all bodies may reach on disk; the oldest segments go first, each a sixteenth of it",
        help_zh: "所有正文在磁盘上可达到的大小；最旧的分段先删除，每段为其十六分之一",
        secret: false,
    },
    Setting {
        name: "OTEL_EXPORTER_OTLP_ENDPOINT",
        area: Area::Telemetry,
        value: "URL",
        fallback: Fallback::Told("nowhere", "不发送"),
        help: "Collector of traces and metrics over OTLP/HTTP, such as http://127.0.0.1:4318; without it nothing is sent",
        help_zh: "通过 OTLP/HTTP 接收追踪和指标的采集器，例如 http://127.0.0.1:4318；不设置则什么也不发送",
        secret: false,
    },
    Setting {
        name: "OTEL_EXPORTER_OTLP_HEADERS",
        area: Area::Telemetry,
        value: "LIST",
        fallback: Fallback::Told("none", "无"),
        help: "Headers for the collector: name=value, separated by commas, values percent-encoded",
        help_zh: "发给采集器的请求头：name=value，以逗号分隔，值使用百分号编码",
        secret: true,
    },
    Setting {
        name: "OTEL_EXPORTER_OTLP_PROTOCOL",
        area: Area::Telemetry,
        value: "http/protobuf",
        fallback: Fallback::Value("http/protobuf"),
        help: "How the collector is spoken to; there is one way",
        help_zh: "与采集器通信的协议；只有一种",
        secret: false,
    },
    Setting {
        name: "OTEL_EXPORTER_OTLP_TIMEOUT",
        area: Area::Telemetry,
        value: "MILLISECONDS",
        fallback: Fallback::Value("10000"),
        help: "How long the collector may take for one message",
        help_zh: "采集器处理一条消息的最长时间",
        secret: false,
    },
    Setting {
        name: "OTEL_METRIC_EXPORT_INTERVAL",
        area: Area::Telemetry,
        value: "MILLISECONDS",
        fallback: Fallback::Value("60000"),
        help: "How often metrics are sent",
        help_zh: "发送指标的间隔",
        secret: false,
    },
    Setting {
        name: "OTEL_RESOURCE_ATTRIBUTES",
        area: Area::Telemetry,
        value: "LIST",
        fallback: Fallback::Value(""),
        help: "What else is said of this program: name=value, separated by commas",
        help_zh: "对本程序的其他说明：name=value，以逗号分隔",
        secret: false,
    },
    Setting {
        name: "OTEL_SERVICE_NAME",
        area: Area::Telemetry,
        value: "NAME",
        fallback: Fallback::Value("rondo"),
        help: "service.name",
        help_zh: "service.name",
        secret: false,
    },
    Setting {
        name: "OTEL_TRACES_SAMPLER",
        area: Area::Telemetry,
        value: "SAMPLER",
        fallback: Fallback::Value("parentbased_always_on"),
        help: "Which traces are sent: always_on, always_off or traceidratio, each also as parentbased_…",
        help_zh: "发送哪些追踪：always_on、always_off 或 traceidratio，均可加 parentbased_ 前缀",
        secret: false,
    },
    Setting {
        name: "OTEL_TRACES_SAMPLER_ARG",
        area: Area::Telemetry,
        value: "SHARE",
        fallback: Fallback::Told("all of them", "全部"),
        help: "The share of traces that traceidratio sends, 0 to 1",
        help_zh: "traceidratio 发送的追踪比例，0 到 1",
        secret: false,
    },
];

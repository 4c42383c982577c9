//! The command palette.

phrases! {
    open => "Search or go to", "搜索或前往";
    find => "Providers, groups, keys, pages", "提供商、分组、密钥、页面";
    trouble => "In trouble", "需要关注";
    actions => "Actions", "操作";
    places => "Go to", "前往";
    with_text(text: &str) => "Requests with “{text}”", "包含“{text}”的请求";
    failed_on(name: &str) => "Failed on {name}", "{name} 的失败请求";
    edit_thing(name: &str) => "Edit {name}", "编辑 {name}";
    enable_thing(name: &str) => "Enable {name}", "启用 {name}";
    disable_thing(name: &str) => "Disable {name}", "停用 {name}";
    test_thing(name: &str) => "Test {name}", "测试 {name}";
    drill_thing(name: &str) => "Drill {name}", "演练 {name}";
    drill_note(fault: &str, minutes: u32) => "{fault} for {minutes} min", "{fault}，{minutes} 分钟";
    drill_started(name: &str) => "Drill of {name} started", "{name} 的演练已开始";
    recent => "Recent", "最近访问";
    move_hint => "move", "移动";
    open_hint => "open", "打开";
    tab_hint => "in a new tab", "在新标签页打开";
    results(count: usize) => "{count} results", "{count} 个结果";
}

//! Signing in and the first setup.

phrases! {
    sign_in => "Sign in", "登录";
    to_host(host: &str) => "to {host}", "到 {host}";
    username => "User name", "用户名";
    password => "Password", "密码";
    forgot => "Forgot the password? On the server, run", "忘记密码时，在服务器上执行";
    slowed => "Failed tries are slowed down per account and address", "失败过多时按账号与地址限速";
    wrong => "User name or password is wrong", "用户名或密码不正确";
    wrong_hint => "Check both. Which one it is is not told.", "请检查两者。出于安全不提示是哪一项。";
    too_many(seconds: u32) => "Too many tries. Wait {seconds} s, then try again.", "尝试过多。请等待 {seconds} 秒后重试。";
    plain_http => "This page came over plain HTTP: the password can be read on the way. Use https outside of a trusted network.", "此页面通过明文 HTTP 传输，密码可能被窃听。在不可信的网络中请使用 https。";

    first_setup => "First setup", "初始设置";
    step_admin => "Administrator", "管理员";
    step_admin_hint => "who runs this", "谁来管理";
    step_provider => "First provider", "第一个提供商";
    step_provider_hint => "where requests go", "请求发往哪里";
    step_group => "Group and key", "分组与密钥";
    step_group_hint => "what clients use", "客户端使用的地址";
    admin_title => "Make the administrator", "创建管理员";
    admin_says => "The owner of this installation. There is no default password anywhere.", "此实例的所有者。系统没有任何默认密码。";
    display_name => "Name on screen", "显示名称";
    password_hint => "10 characters at least; a long phrase is best", "至少 10 个字符，长短语最佳";
    provider_title => "Connect your first provider", "连接第一个提供商";
    provider_says => "Any service with an HTTP API. The key is encrypted before it is stored and never shown again.", "任何提供 HTTP API 的服务均可。密钥加密后存储，之后不再显示。";
    group_title => "Give clients an address and a key", "为客户端准备地址与密钥";
    group_says => "The group gets every provider you have made. Change it at any time.", "该分组将包含已创建的所有提供商，之后可随时调整。";
    group_name => "Group", "分组";
    group_name_value => "Production", "生产环境";
    key_name => "Name of the key", "密钥名称";
    key_name_hint => "Who or what uses it", "使用者或用途";
    address_preview => "Clients will call", "客户端将调用";
    skip => "Skip for now", "暂时跳过";
    go_on => "Save and continue", "保存并继续";
    finish => "Make group and key", "创建分组与密钥";
    done_title => "Rondo is ready", "Rondo 已就绪";
    done_says => "Send the first request, then watch it on the dashboard.", "发送第一个请求，然后在仪表盘查看。";
    to_dashboard => "Open the dashboard", "打开仪表盘";
    no_setup => "This page does not exist", "页面不存在";
    no_setup_hint => "The setup is open only with the link that Rondo printed to its log at the first start.", "初始设置仅可通过 Rondo 首次启动时写入日志的链接打开。";
}

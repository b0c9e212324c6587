//! THE table of what no sandbox shows: keys, logins, tokens, histories, and the sockets by which a program leaves a sandbox.

use std::path::{Path, PathBuf};

use crate::run::options::Variables;
use crate::run::variables::value;

/// Below the user's home, one a line.
const BELOW_HOME: &str = "\
.ssh
.gnupg
.pki
.password-store
.local/share/password-store
.local/share/keyrings
.local/share/kwalletd
.config/keepassxc
.config/1Password
.config/op
.config/Bitwarden
.config/Bitwarden CLI
.config/sops
.age
.vault-token
.netrc
_netrc
.git-credentials
.config/git/credentials
.git-credential-cache
.cache/git/credential
.config/gh
.config/glab-cli
.config/hub
.config/github-copilot
.aws
.azure
.config/gcloud
.boto
.s3cfg
.oci
.bluemix
.aliyun
.config/doctl
.config/hcloud
.config/rclone
.config/heroku
.config/netlify
.config/stripe
.config/ngrok
.ngrok2
.fly
.local/share/com.vercel.cli
.config/configstore
.config/solana
.databrickscfg
.snowflake
.snowsql
.kaggle
.dbt/profiles.yml
.huggingface
.cache/huggingface/token
.cache/huggingface/stored_tokens
.sentryclirc
.wakatime.cfg
.kube
.minikube
.docker
.config/containers/auth.json
.config/helm/registry
.colima
.lima
.rd
.terraform.d
.terraformrc
.pulumi/credentials.json
.npmrc
.yarnrc
.yarnrc.yml
.pypirc
.pip/pip.conf
.config/pip/pip.conf
.config/pypoetry/auth.toml
.local/share/uv/credentials
.cargo/credentials
.cargo/credentials.toml
.gem/credentials
.local/share/gem/credentials
.bundle/config
.m2/settings.xml
.m2/settings-security.xml
.gradle/gradle.properties
.ivy2/.credentials
.sbt/credentials
.sbt/.credentials
.nuget/NuGet/NuGet.Config
.config/NuGet
.composer/auth.json
.config/composer/auth.json
.hex/hex.config
.pgpass
.my.cnf
.mylogin.cnf
.mozilla
.thunderbird
.config/google-chrome
.config/chromium
.config/BraveSoftware
.config/microsoft-edge
.config/vivaldi
.config/opera
.config/Slack
.config/discord
.config/Signal
.electrum
.bitcoin
.ethereum
.bash_history
.zsh_history
.histfile
.local/share/fish/fish_history
.python_history
.node_repl_history
.psql_history
.mysql_history
.rediscli_history
.lesshst";

/// Where another place holds such things, and the variable that says so.
const BY_VARIABLE: [&str; 16] = [
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AZURE_CONFIG_DIR",
    "CLOUDSDK_CONFIG",
    "DOCKER_CONFIG",
    "GH_CONFIG_DIR",
    "GNUPGHOME",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "HISTFILE",
    "KUBECONFIG",
    "NETRC",
    "NPM_CONFIG_USERCONFIG",
    "PASSWORD_STORE_DIR",
    "PGPASSFILE",
    "SSH_AUTH_SOCK",
    "XAUTHORITY",
];

/// Of the system: sockets by which a member of a group becomes root. Those in `/run` go with that.
const SOCKETS: [&str; 3] =
    ["/var/lib/incus/unix.socket", "/var/lib/lxd/unix.socket", "/var/snap/lxd/common/lxd/unix.socket"];

/// Of the system, where only root can read it.
const OF_ROOT: [&str; 11] = [
    "/etc/gshadow",
    "/etc/gshadow-",
    "/etc/kubernetes",
    "/etc/rancher",
    "/etc/shadow",
    "/etc/shadow-",
    "/etc/ssh",
    "/etc/ssl/private",
    "/var/lib/containerd",
    "/var/lib/docker",
    "/var/lib/kubelet",
];

/// Variables that name a way out of a sandbox.
const WAYS_OUT: [&str; 14] = [
    "CONTAINER_HOST",
    "DBUS_SESSION_BUS_ADDRESS",
    "DBUS_SYSTEM_BUS_ADDRESS",
    "DISPLAY",
    "DOCKER_HOST",
    "GPG_AGENT_INFO",
    "SSH_AGENT_PID",
    "SSH_AUTH_SOCK",
    "STY",
    "TMUX",
    "VSCODE_IPC_HOOK_CLI",
    "WAYLAND_DISPLAY",
    "XAUTHORITY",
    "XDG_RUNTIME_DIR",
];

/// What the names of variables with secrets have in them.
const WORDS: [&str; 6] = ["KEY", "SECRET", "TOKEN", "PASSW", "PASSPHRASE", "CREDENTIAL"];

/// Every place, whether it is there or not.
pub(super) fn places(home: Option<&Path>, inherited: &Variables, is_root: bool) -> Vec<PathBuf> {
    let mut places = Vec::new();
    if let Some(home) = home {
        places.extend(BELOW_HOME.lines().map(|name| home.join(name)));
    }
    for name in BY_VARIABLE {
        let text = value(inherited, name).unwrap_or_default();
        places.extend(std::env::split_paths(text).filter(|path| path.is_absolute()));
    }
    places.extend(SOCKETS.iter().map(PathBuf::from));
    if is_root {
        places.extend(OF_ROOT.iter().map(PathBuf::from));
        // Its home may be another one at present.
        places.extend(BELOW_HOME.lines().map(|name| Path::new("/root").join(name)));
    }
    places
}

/// Whether an inherited variable stays outside: it leads out of the sandbox, or its name says that it is a secret.
pub(super) fn stays_outside(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    if name.starts_with("EXECENV_") || name.starts_with("MULTICA_") {
        return false; // no agent inherits these
    }
    WAYS_OUT.contains(&name.as_str()) || WORDS.iter().any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_is_there_once_and_below_the_home() {
        let lines: Vec<&str> = BELOW_HOME.lines().collect();
        for (number, line) in lines.iter().enumerate() {
            let plain =
                Path::new(line).components().all(|part| matches!(part, std::path::Component::Normal(_)));
            assert!(plain && !line.is_empty(), "{line}");
            assert!(!lines[..number].iter().any(|other| Path::new(line).starts_with(other)), "{line} twice");
        }
    }

    #[test]
    fn secrets_and_ways_out_stay_outside() {
        for name in
            ["GITHUB_TOKEN", "AWS_SECRET_ACCESS_KEY", "PGPASSWORD", "SSH_AUTH_SOCK", "npm_config_token"]
        {
            assert!(stays_outside(name), "{name}");
        }
        for name in ["PATH", "HOME", "LANG", "EDITOR", "HTTPS_PROXY", "ANTHROPIC_BASE_URL"] {
            assert!(!stays_outside(name), "{name}");
        }
    }
}

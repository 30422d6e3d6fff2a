//! The authentication that a registry requires, as a test configures it.

/// What a registry demands of its clients.
#[derive(Clone, Debug)]
pub enum Auth {
    /// Nothing.
    None,
    /// Basic credentials on every request.
    Basic {
        /// The user name.
        user: String,
        /// The password.
        password: String,
    },
    /// A Bearer token on every request.
    Bearer(Bearer),
}

impl Auth {
    /// [`Auth::Basic`] with these credentials.
    pub fn basic(user: &str, password: &str) -> Auth {
        Auth::Basic { user: user.into(), password: password.into() }
    }
}

/// How Bearer tokens are given out. By default nobody is known, anonymous clients get nothing, tokens come by GET and
/// by POST, under both names, and say nothing of when they expire.
#[derive(Clone, Debug)]
pub struct Bearer {
    pub(super) users: Vec<(String, String)>,
    pub(super) refresh_tokens: Vec<String>,
    pub(super) registry_tokens: Vec<String>,
    pub(super) never_granted_scopes: Vec<String>,
    pub(super) denied_scopes: Vec<String>,
    pub(super) expires_in: Option<u64>,
    pub(super) post_status: Option<u16>,
    pub(super) anonymous_pull: bool,
    pub(super) denied_mounts_start_uploads: bool,
    pub(super) padding: usize,
    pub(super) field: Option<String>,
    pub(super) realm: Option<String>,
    pub(super) service: String,
    pub(super) own_port: bool,
}

impl Default for Bearer {
    fn default() -> Bearer {
        Bearer::new()
    }
}

impl Bearer {
    /// The defaults said above.
    pub fn new() -> Bearer {
        Bearer {
            users: Vec::new(),
            refresh_tokens: Vec::new(),
            registry_tokens: Vec::new(),
            never_granted_scopes: Vec::new(),
            denied_scopes: Vec::new(),
            expires_in: None,
            post_status: None,
            anonymous_pull: false,
            denied_mounts_start_uploads: false,
            padding: 0,
            field: None,
            realm: None,
            service: "loopback registry".into(),
            own_port: false,
        }
    }

    /// One more user, by name and password.
    pub fn user(mut self, name: &str, password: &str) -> Bearer {
        self.users.push((name.into(), password.into()));
        self
    }

    /// One more refresh token (an `identitytoken` of config.json) that POST accepts.
    pub fn refresh_token(mut self, token: &str) -> Bearer {
        self.refresh_tokens.push(token.into());
        self
    }

    /// One more token that the registry itself accepts for everything (a `registrytoken` of config.json).
    pub fn registry_token(mut self, token: &str) -> Bearer {
        self.registry_tokens.push(token.into());
        self
    }

    /// Token answers say this `expires_in`, in seconds; the registry itself does not act on it.
    pub fn expires_in(mut self, seconds: u64) -> Bearer {
        self.expires_in = Some(seconds);
        self
    }

    /// POST to the token endpoint is answered with this status (404 or 405, say).
    pub fn without_post(mut self, status: u16) -> Bearer {
        self.post_status = Some(status);
        self
    }

    /// Clients without credentials get tokens to pull with.
    pub fn anonymous_pull(mut self) -> Bearer {
        self.anonymous_pull = true;
        self
    }

    /// Tokens never include this scope: `repository:NAME:ACTION`, or `repository:NAME` for all its actions.
    pub fn never_grant_scope(mut self, scope: &str) -> Bearer {
        self.never_granted_scopes.push(scope.into());
        self
    }

    /// The token endpoint answers a request for this scope with 403 DENIED.
    pub fn deny_scope(mut self, scope: &str) -> Bearer {
        self.denied_scopes.push(scope.into());
        self
    }

    /// Gives out tokens that are so many bytes longer.
    pub fn padding(mut self, bytes: usize) -> Bearer {
        self.padding = bytes;
        self
    }

    /// A mount from a repository that the token may not pull starts an upload (202), as Docker Hub has it, instead of
    /// the 401 that names both scopes, as docker-registry has it.
    pub fn denied_mounts_start_uploads(mut self) -> Bearer {
        self.denied_mounts_start_uploads = true;
        self
    }

    /// Token answers carry only this field, `token` or `access_token`.
    pub fn only_field(mut self, field: &str) -> Bearer {
        self.field = Some(field.into());
        self
    }

    /// The realm that challenges name, instead of the registry's own `/token`.
    pub fn realm(mut self, realm: &str) -> Bearer {
        self.realm = Some(realm.into());
        self
    }

    /// The service that challenges name and the token endpoint insists on.
    pub fn service(mut self, service: &str) -> Bearer {
        self.service = service.into();
        self
    }

    /// The token endpoint listens on a port of its own, in the same record.
    pub fn on_own_port(mut self) -> Bearer {
        self.own_port = true;
        self
    }
}

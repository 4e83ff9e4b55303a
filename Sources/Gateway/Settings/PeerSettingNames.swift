/// Names of settings that Kong has and this program does not serve, so that they are not taken for typing errors.
///
/// A name leaves this list when its setting is declared in a section; a test holds the two apart.
enum PeerSettingNames {
  static let all: Set<String> = Set(text.split(whereSeparator: \.isWhitespace).map(String.init))

  /// Families of names that an operator completes: nginx directives and plugin servers.
  static let prefixes = [
    "nginx_main_", "nginx_events_", "nginx_http_", "nginx_proxy_", "nginx_location_", "nginx_upstream_",
    "nginx_admin_", "nginx_status_", "nginx_debug_", "nginx_stream_", "nginx_sproxy_", "nginx_supstream_",
    "pluginserver_",
  ]

  /// Variables that are no settings but mean something to Kong.
  private static let variables = "license_data license_path password"

  static func contains(_ name: String) -> Bool {
    all.contains(name) || prefixes.contains { name.hasPrefix($0) && name.utf8.count > $0.utf8.count }
  }

  private static let text = variables + " " + """
    admin_api_uri admin_emails_from admin_emails_reply_to admin_gui_access_log admin_gui_api_url admin_gui_auth
    admin_gui_auth_change_password_attempts admin_gui_auth_change_password_ttl admin_gui_auth_conf
    admin_gui_auth_header admin_gui_auth_login_attempts admin_gui_auth_login_attempts_ttl
    admin_gui_auth_password_complexity admin_gui_csp_header admin_gui_csp_header_value admin_gui_error_log
    admin_gui_flags admin_gui_footer_bg_color admin_gui_footer_txt admin_gui_footer_txt_color
    admin_gui_header_bg_color admin_gui_header_txt admin_gui_header_txt_color admin_gui_hide_konnect_cta
    admin_gui_listen admin_gui_login_banner_body admin_gui_login_banner_title admin_gui_path admin_gui_session_conf
    admin_gui_ssl_cert admin_gui_ssl_cert_key admin_gui_ssl_protocols admin_gui_url admin_invitation_expiry
    ai_mcp_listener_enabled analytics_buffer_size_limit analytics_debug analytics_flush_interval anonymous_reports
    audit_log audit_log_ignore_methods audit_log_ignore_paths audit_log_ignore_tables audit_log_payload_exclude
    audit_log_record_ttl audit_log_signing_key client_ssl client_ssl_cert client_ssl_cert_key
    cluster_allowed_common_names cluster_ca_cert cluster_fallback_config_export cluster_fallback_config_export_delay
    cluster_fallback_config_import cluster_fallback_config_storage cluster_fallback_export_s3_config
    cluster_server_name cluster_telemetry_endpoint cluster_telemetry_listen cluster_telemetry_server_name
    cluster_use_proxy consumers_mem_cache_size db_cache_neg_ttl db_cache_ttl db_cache_warmup_entities
    db_resurrect_ttl db_update_propagation debug_access_log debug_error_log debug_listen debug_listen_local
    debug_ssl_cert debug_ssl_cert_key dedicated_config_processing dns_cache_size dns_no_sync dns_order
    enforce_route_path_pattern error_template_html error_template_json error_template_plain error_template_xml
    event_hooks_enabled fips identity_service incremental_sync keyring_blob_path keyring_enabled
    keyring_encrypt_license keyring_private_key keyring_public_key keyring_recovery_public_key keyring_strategy
    keyring_vault_auth_method keyring_vault_host keyring_vault_kube_api_token_file keyring_vault_kube_role
    keyring_vault_mount keyring_vault_path keyring_vault_token konnect_mode lmdb_environment_path lmdb_map_size
    lru_cache_size lua_gc_tuning lua_package_cpath lua_package_path lua_socket_pool_size
    lua_ssl_verify_depth mem_cache_size new_dns_client
    nginx_admin_client_body_buffer_size nginx_daemon nginx_events_worker_connections nginx_http_charset
    nginx_http_client_header_buffer_size nginx_http_lua_regex_cache_max_entries nginx_http_lua_regex_match_limit
    nginx_main_worker_rlimit_nofile nginx_user openresty_path opentelemetry_tracing
    opentelemetry_tracing_sampling_rate pdk_response_exit_header_filter_early_exit pg_azure_auth pg_azure_client_id
    pg_azure_client_secret pg_azure_tenant_id pg_backlog pg_database pg_gcp_auth pg_gcp_service_account_json pg_host
    pg_iam_auth pg_iam_auth_assume_role_arn pg_iam_auth_role_session_name pg_iam_auth_sts_endpoint_url
    pg_keepalive_timeout pg_max_concurrent_queries pg_oauth_audience pg_oauth_auth pg_oauth_client_id
    pg_oauth_client_secret pg_oauth_discovery_endpoint pg_oauth_grant_type pg_oauth_password pg_oauth_resource
    pg_oauth_scope pg_oauth_token_endpoint pg_oauth_token_endpoint_auth_method pg_oauth_username pg_password
    pg_pool_size pg_port pg_ro_azure_auth pg_ro_azure_client_id pg_ro_azure_client_secret pg_ro_azure_tenant_id
    pg_ro_backlog pg_ro_database pg_ro_gcp_auth pg_ro_gcp_service_account_json pg_ro_host pg_ro_iam_auth
    pg_ro_iam_auth_assume_role_arn pg_ro_iam_auth_role_session_name pg_ro_iam_auth_sts_endpoint_url
    pg_ro_keepalive_timeout pg_ro_max_concurrent_queries pg_ro_oauth_audience pg_ro_oauth_auth pg_ro_oauth_client_id
    pg_ro_oauth_client_secret pg_ro_oauth_discovery_endpoint pg_ro_oauth_grant_type pg_ro_oauth_password
    pg_ro_oauth_resource pg_ro_oauth_scope pg_ro_oauth_token_endpoint pg_ro_oauth_token_endpoint_auth_method
    pg_ro_oauth_username pg_ro_password pg_ro_pool_size pg_ro_port pg_ro_schema pg_ro_semaphore_timeout pg_ro_ssl
    pg_ro_ssl_required pg_ro_ssl_verify pg_ro_ssl_version pg_ro_timeout pg_ro_user pg_schema pg_semaphore_timeout
    pg_ssl pg_ssl_cert pg_ssl_cert_key pg_ssl_required pg_ssl_verify pg_ssl_version pg_timeout pg_user
    pluginserver_names proxy_server proxy_server_ssl_verify proxy_stream_access_log proxy_stream_error_log proxy_url
    rbac_auth_header request_debug request_debug_token resolver_address resolver_error_ttl resolver_family
    resolver_hosts_file resolver_lru_cache_size resolver_mem_cache_size resolver_stale_ttl resolver_valid_ttl
    route_match_calculation route_validation_strategy schema_alias_conflict_mode smtp_admin_emails smtp_auth_type
    smtp_domain smtp_host smtp_mock smtp_password smtp_port smtp_ssl smtp_starttls smtp_timeout_connect
    smtp_timeout_read smtp_timeout_send smtp_username ssl_cipher_suite ssl_ciphers ssl_dhparam
    ssl_prefer_server_ciphers ssl_protocols ssl_session_cache_size ssl_session_tickets ssl_session_timeout
    status_access_log status_error_log stream_listen
    vault_aws_assume_role_arn vault_aws_decode_base64 vault_aws_endpoint_url vault_aws_neg_ttl
    vault_aws_region vault_aws_resurrect_ttl vault_aws_role_session_name vault_aws_sts_endpoint_url vault_aws_ttl
    vault_azure_certs_client_id vault_azure_certs_neg_ttl vault_azure_certs_resurrect_ttl
    vault_azure_certs_tenant_id vault_azure_certs_ttl vault_azure_certs_vault_uri vault_azure_client_id
    vault_azure_decode_base64 vault_azure_neg_ttl vault_azure_resurrect_ttl vault_azure_tenant_id vault_azure_ttl
    vault_azure_type vault_azure_vault_uri vault_env_prefix vault_fs_decode_base64 vault_fs_neg_ttl vault_fs_prefix
    vault_fs_resurrect_ttl vault_fs_ttl vault_gcp_decode_base64 vault_gcp_neg_ttl vault_gcp_project_id
    vault_gcp_resurrect_ttl vault_gcp_ttl vault_hcv_approle_auth_path vault_hcv_approle_response_wrapping
    vault_hcv_approle_role_id vault_hcv_approle_secret_id vault_hcv_approle_secret_id_file vault_hcv_auth_method
    vault_hcv_aws_access_key_id vault_hcv_aws_assume_role_arn vault_hcv_aws_auth_nonce vault_hcv_aws_auth_region
    vault_hcv_aws_auth_role vault_hcv_aws_login_path vault_hcv_aws_role_session_name vault_hcv_aws_secret_access_key
    vault_hcv_aws_sts_endpoint_url vault_hcv_azure_auth_role vault_hcv_azure_login_path vault_hcv_cert_auth_cert
    vault_hcv_cert_auth_cert_key vault_hcv_cert_auth_role_name vault_hcv_decode_base64 vault_hcv_gcp_auth_role
    vault_hcv_gcp_jwt_exp vault_hcv_gcp_login_path vault_hcv_gcp_service_account vault_hcv_host vault_hcv_jwt_role
    vault_hcv_kube_api_token_file vault_hcv_kube_auth_path vault_hcv_kube_role vault_hcv_kv vault_hcv_mount
    vault_hcv_namespace vault_hcv_neg_ttl vault_hcv_oauth2_audiences vault_hcv_oauth2_client_id
    vault_hcv_oauth2_client_secret vault_hcv_oauth2_token_endpoint vault_hcv_port vault_hcv_protocol
    vault_hcv_resurrect_ttl vault_hcv_ssl_verify vault_hcv_token vault_hcv_ttl vaults vaults_lazy_load_secrets
    worker_consistency worker_state_update_frequency
    """
}

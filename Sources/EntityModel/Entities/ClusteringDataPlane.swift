extension EntityDefinition {
  /// What a control plane knows of a data plane. Source: Kong fact, hybrid §7.
  public static let clusteringDataPlanes = EntityDefinition(
    name: "clustering_data_planes", adminPath: nil,
    schema: RecordSchema([
      "id": CommonFields.id,
      "created_at": CommonFields.createdAt,
      "updated_at": CommonFields.updatedAt,
      "last_seen": .integer.checked(by: .timestamp),
      "ip": CommonFields.ip.asRequired(),
      "config_hash": .string.checked(by: .lengthEqual(32)),
      "hostname": CommonFields.host.asRequired(),
      "version": .string,
      "sync_status": .string.asRequired().defaulting(to: "unknown").checked(
        by: .oneOf([
          "unknown", "normal", "kong_version_incompatible", "plugin_set_incompatible", "plugin_version_incompatible",
          "filter_set_incompatible",
        ])),
      "labels": .map(.string, .string),
      "cert_details": .record(RecordSchema(["expiry_timestamp": .integer.checked(by: .timestamp)])),
      "rpc_capabilities": .set(of: .string),
    ]),
    isExported: false, isWorkspaced: false)
}

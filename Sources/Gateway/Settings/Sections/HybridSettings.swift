/// Roles, and the connection between a control plane and its data planes.
public struct HybridSettings: SettingSection {
  static let title = "Hybrid mode"

  public let role = Setting(
    "role", .choice as SettingKind<NodeRole>, default: "traditional",
    """
    What this node does. `traditional` proxies and is administered itself; `control_plane` keeps the configuration and
    pushes it, without a proxy; `data_plane` proxies by what a control plane pushes, without a database.
    """)

  public let clusterMTLS = Setting(
    "cluster_mtls", .choice as SettingKind<ClusterTLSMode>, default: "shared",
    "How the nodes of a cluster verify one another. With `shared` all of them hold the same certificate and key.")

  public let clusterCert = Setting(
    "cluster_cert", SettingKind.pem.orUnset(),
    "Certificate of the cluster; `sluice hybrid gen_cert` makes one. Needed on control and data planes.")

  public let clusterCertKey = Setting(
    "cluster_cert_key", SettingKind.pem.orUnset(), secret: true, "Private key of `cluster_cert`.")

  public let clusterOCSP = Setting(
    "cluster_ocsp", .choice as SettingKind<ClusterOCSPMode>, default: "off",
    "Whether a control plane asks for the revocation of data-plane certificates.")

  public let clusterListen = Setting(
    "cluster_listen", .listeners, default: "0.0.0.0:8005",
    "Addresses on which a control plane waits for data planes. The connection is always mutual TLS.")

  public let clusterControlPlane = Setting(
    "cluster_control_plane", SettingKind.endpoint.orUnset(), "The control plane that a data plane connects to.")

  public let clusterDataPlaneLabels = Setting(
    "cluster_dp_labels", .labels, "Labels that a data plane reports, for example `deployment:mycloud,region:eu-1`.")

  public let clusterMaxPayload = Setting(
    "cluster_max_payload", .integer(4_194_304...1_073_741_824), default: "16777216", unit: "bytes",
    "The largest compressed configuration that is sent or taken; a larger one is logged and left out.")

  public let clusterDataPlanePurgeDelay = Setting(
    "cluster_data_plane_purge_delay", .integer(60...31_536_000), default: "1209600", unit: "seconds",
    "How long a data plane that is gone stays in `/clustering/data-planes`.")
}

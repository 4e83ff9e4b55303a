import NIOCore
import NIOSSL

/// A certificate for `log.test` and `localhost` with the authority that vouches for it, made for tests alone
/// and valid until 2126.
public enum ServerCertificate {
  public static let authority = """
    -----BEGIN CERTIFICATE-----
    MIIBiTCCAS+gAwIBAgIUd/6wdTKZ6zjHCqGKgLIFh4PmvLUwCgYIKoZIzj0EAwIw
    GTEXMBUGA1UEAwwOVGVzdCBBdXRob3JpdHkwIBcNMjYxMTIzMDA1NTMwWhgPMjEy
    NjEwMzAwMDU1MzBaMBkxFzAVBgNVBAMMDlRlc3QgQXV0aG9yaXR5MFkwEwYHKoZI
    zj0CAQYIKoZIzj0DAQcDQgAEib3UVfR72d/uKG5vwu8/C1/NMhxodQDbfr09VMFK
    UrDolap8g27+chci5GS3IjAZKjoNQiUPIRcETp2idBS796NTMFEwHQYDVR0OBBYE
    FC9iH1E46iDlSVqmUPkbf3SlA47AMB8GA1UdIwQYMBaAFC9iH1E46iDlSVqmUPkb
    f3SlA47AMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIgAhMgVn/9
    CgdUsE3v86TqSb08pk/BcwO/wACXhg84basCIQDKpJ4b7VewWP3CWt5EwU6Eto2r
    3z58tJmwS4E3UyuosQ==
    -----END CERTIFICATE-----
    """

  public static let certificate = """
    -----BEGIN CERTIFICATE-----
    MIIBnDCCAUOgAwIBAgIUAegsoXILgd9U4dxPzRndUsc/xMAwCgYIKoZIzj0EAwIw
    GTEXMBUGA1UEAwwOVGVzdCBBdXRob3JpdHkwIBcNMjYxMTIzMDExNTQ3WhgPMjEy
    NjEwMzAwMTE1NDdaMBMxETAPBgNVBAMMCGxvZy50ZXN0MFkwEwYHKoZIzj0CAQYI
    KoZIzj0DAQcDQgAEONORRNhn+SoxhN4wofHEI+t3ZwY/wOKcRTBqzYqVy7gd+1lS
    BeUc1xj6TnOq6Y2AhbSWPxVcuFFFDgYatq2E8KNtMGswHgYDVR0RBBcwFYIIbG9n
    LnRlc3SCCWxvY2FsaG9zdDAJBgNVHRMEAjAAMB0GA1UdDgQWBBS40AKKQu+jqiSb
    bjR7lp6rTMYwKjAfBgNVHSMEGDAWgBQvYh9ROOog5UlaplD5G390pQOOwDAKBggq
    hkjOPQQDAgNHADBEAiBhjEuxQoMs/Fm0zej1JEnKaITdCicbsQZoUUVwrwMzgAIg
    KzvcVHO/Zp9ss+MnHNLLRqlq3ToKqApnRYw/gUV+YmM=
    -----END CERTIFICATE-----
    """

  public static let key = """
    -----BEGIN PRIVATE KEY-----
    MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgDHm1U84CEAHgqEMz
    0xd8OV7UJ5DTS8I+JYMYcD4vHvqhRANCAAQ405FE2Gf5KjGE3jCh8cQj63dnBj/A
    4pxFMGrNipXLuB37WVIF5RzXGPpOc6rpjYCFtJY/FVy4UUUOBhq2rYTw
    -----END PRIVATE KEY-----
    """

  /// Makes the connections of a server encrypted.
  public static func serve(on channel: any Channel) throws {
    let configuration = TLSConfiguration.makeServerConfiguration(
      certificateChain: try NIOSSLCertificate.fromPEMBytes(Array(certificate.utf8)).map { .certificate($0) },
      privateKey: .privateKey(try NIOSSLPrivateKey(bytes: Array(key.utf8), format: .pem)))
    try channel.pipeline.syncOperations.addHandler(
      NIOSSLServerHandler(context: NIOSSLContext(configuration: configuration)))
  }

  public static func trusted() throws -> NIOSSLTrustRoots {
    .certificates(try NIOSSLCertificate.fromPEMBytes(Array(authority.utf8)))
  }
}

"""How the service reaches AWS: signed URLs lead to the bucket itself, wherever it is and however young."""

import pytest

from flowserverless.aws import clients


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1", "ap-southeast-3"])
def test_signed_urls_and_forms_name_the_endpoint_of_the_region(monkeypatch, region):
    """The global endpoint redirects, which no signed URL or form survives; newer regions are not behind it."""
    monkeypatch.setenv("AWS_REGION", region)
    s3 = clients.client.__wrapped__("s3")
    host = f"https://results.s3.{region}.amazonaws.com/"
    assert s3.generate_presigned_url("get_object", Params={"Bucket": "results", "Key": "a b"}).startswith(
        f"{host}a%20b?"
    )
    assert s3.generate_presigned_post("results", "key")["url"] == host

"""flowserverless: flowServ's run service as serverless functions on AWS."""

"""Services of AWS: clients that are made when first used, executions in Step Functions, users in Cognito."""

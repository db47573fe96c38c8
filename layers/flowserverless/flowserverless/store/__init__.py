"""What is kept, and where: one DynamoDB table (table.py draws it), one S3 bucket (bucket.py), and every key of both."""

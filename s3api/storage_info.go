package s3api

// getBucketStorageInfo answers Huawei OBS's GET ?storageinfo: what a bucket holds, at this moment. A version counts as
// an object.
// https://support.huaweicloud.com/intl/en-us/api-obs/obs_04_0054.html
func getBucketStorageInfo(rq *request) error {
	account, err := rq.readFigures()
	if err != nil {
		return err
	}
	x := newXML(256)
	x.raw(`<GetBucketStorageInfoResult xmlns="` + obsNamespace + `">`)
	x.number("Size", account.Usage.Bytes)
	x.number("ObjectNumber", account.Usage.Objects)
	x.close("GetBucketStorageInfoResult")
	return rq.writeXML(x)
}
